"""The machine with a vector unit that tests simulate: one, as compiling it takes minutes. Default
chunks of 32 x 32 pixels fit, and ResNet-20."""

from __future__ import annotations

from fractrain.hw.contract.parameters import load_parameters

__all__ = ["P"]

P = load_parameters("tiny-vector")
