"""The rectifier, and the range that its output is quantized over."""

from __future__ import annotations

from typing import Any

from host.networks.execution import Execution
from host.numerics.quantization import Array, Quantized, quantize_activations

RANGE_MOMENTUM = 0.1
"""Weight of the newest batch in the running mean of an activation's range."""


class ReLU:
    """y = max(x, 0), in the memory of x."""

    def __init__(self) -> None:
        self._positive: Any = None

    def forward(self, x: Array, execution: Execution) -> Array:
        xp = execution.xp
        y = xp.clip(x, 0, None, out=x)
        if execution.training is not None:
            self._positive = y > 0
        return y

    def backward(self, e: Array) -> Array:
        """The error at x, a new array."""
        return e * self._positive


class ActivationRange:
    """The range that an activation tensor is quantized over, 0 to its greatest value.

    In training the greatest value is that of the batch at hand; in evaluation it is the running
    mean of those, so that a prediction does not depend on which images share its batch.
    """

    def __init__(self) -> None:
        self._running: Any = None

    def maximum(self, x: Array, execution: Execution) -> Array:
        """The greatest value for ``x``; in training, ``x`` joins the running mean."""
        if execution.training is None and self._running is not None:
            return self._running
        batch = execution.xp.max(x)
        if execution.training is not None:
            previous = batch if self._running is None else self._running
            self._running = previous + RANGE_MOMENTUM * (batch - previous)
        return batch

    def quantize(self, x: Array, bits: int, execution: Execution) -> Quantized:
        """``x`` ≥ 0 as integers of ``bits`` bits."""
        return quantize_activations(execution.xp, x, bits, self.maximum(x, execution))
