"""The machines with a vector unit that tests simulate: one, as compiling it takes minutes, and a
larger one in the slow set. Default chunks of 32 x 32 pixels fit, and ResNet-20."""

from __future__ import annotations

from fractrain.hw.contract.parameters import load_parameters

__all__ = ["ZC706", "P"]

P, ZC706 = load_parameters("tiny-vector"), load_parameters("zc706-vector")
