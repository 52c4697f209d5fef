"""The machines with a vector unit that tests simulate: P, as compiling it takes minutes, with
default chunks of 32 x 32 pixels and ResNet-20; in the slow set ZC706, as in docs/whole_step.md."""

from __future__ import annotations

from tests.hw.machines import with_vector

__all__ = ["ZC706", "P"]

P = with_vector(
    buffers__plane_words=32768, buffers__column_words=2048, buffers__gradient_words=4096
)
ZC706 = with_vector("zc706", buffers__plane_words=6912, buffers__gradient_words=1536)
