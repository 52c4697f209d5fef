"""The quantization range of an activation."""

from __future__ import annotations

from fractrain.host.graph.builder import Builder
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.parameter import Statistic


class ActivationRange:
    """The running mean of an activation's range; `host.graph.operations.MeasureRange` has the
    formula."""

    def __init__(self, name: str) -> None:
        self.running = Statistic(f"{name}.range")

    def emit(self, builder: Builder, x: Tensor, slot: int | None = None) -> Tensor:
        """The range for ``x``."""
        return builder.measure(self.running.name, x, self.running, slot)
