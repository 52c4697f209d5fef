"""The rectifier, and the range that its output is quantized over."""

from __future__ import annotations

from typing import Any

from fractrain.host.graph.builder import Builder
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.execution import Execution
from fractrain.host.networks.parameter import Statistic
from fractrain.host.numerics.quantization import Array

RANGE_MOMENTUM = 0.1
"""Weight of the newest batch in the running mean of an activation's range."""


class ReLU:
    """y = max(x, 0), in the memory of x. Backward passes undo forward passes, the last first."""

    def __init__(self) -> None:
        self._saved: list[Any] = []

    def forward(self, x: Array, execution: Execution) -> Array:
        y, saved = execution.elementwise.rectify(x)
        if execution.keeps:
            self._saved.append(saved)
        return y

    def backward(self, e: Array, execution: Execution) -> Array:
        """The error at x, a new array."""
        return execution.elementwise.rectify_backward(e, self._saved.pop())


class ActivationRange:
    """The range that an activation tensor is quantized over, as the arithmetic measures it.

    In training it is that of the batch at hand; in evaluation it is the running mean of those, so
    that a prediction does not depend on which images share its batch.
    """

    def __init__(self, name: str) -> None:
        self.running = Statistic(f"{name}.range")

    def emit(self, builder: Builder, x: Tensor, slot: int | None = None) -> Tensor:
        """The range for ``x``."""
        return builder.measure(self.running.name, x, self.running, slot)

    def observe(self, x: Array, execution: Execution) -> Array:
        """The range for ``x``; in training, ``x`` joins the running mean."""
        if execution.training is None and self.running.value is not None:
            return self.running.value
        batch = execution.arithmetic.measure(x)
        if execution.training is not None:
            previous = batch if self.running.value is None else self.running.value
            self.running.value = previous + RANGE_MOMENTUM * (batch - previous)
        return batch
