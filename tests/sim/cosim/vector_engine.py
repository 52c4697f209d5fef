"""The machine with a vector unit that tests simulate: one, as compiling it takes minutes. Default
chunks of 32 x 32 pixels fit, and ResNet-20."""

from __future__ import annotations

from tests.hw.machines import with_vector

__all__ = ["P"]

P = with_vector(
    buffers__plane_words=32768, buffers__column_words=2048, buffers__gradient_words=4096
)
