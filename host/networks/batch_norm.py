"""Batch norm: its parameters and running statistics."""

from __future__ import annotations

import numpy as np

from fractrain.host.graph.builder import Builder
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.parameter import Parameter, Statistic


class BatchNorm:
    """Of ``channels`` over images and pixels, over ``group`` images at a time if that is given;
    `host.graph.operations.BatchNorm` has the formula."""

    def __init__(self, name: str, channels: int, group: int | None = None) -> None:
        shape = (1, channels, 1, 1)
        self.gamma = Parameter(f"{name}.gamma", np.ones(shape, np.float32))
        self.beta = Parameter(f"{name}.beta", np.zeros(shape, np.float32))
        self.mean = Statistic(f"{name}.mean", np.zeros(shape, np.float32))
        self.variance = Statistic(f"{name}.variance", np.ones(shape, np.float32))
        self.name, self._group = name, group

    def parameters(self) -> list[Parameter]:
        return [self.gamma, self.beta]

    def statistics(self) -> list[Statistic]:
        return [self.mean, self.variance]

    def emit(self, builder: Builder, x: Tensor, slot: int | None = None) -> Tensor:
        """``x[N,C,H,W]``, normalized."""
        scale, running = (self.gamma, self.beta), (self.mean, self.variance)
        return builder.batch_norm(self.name, x, scale, running, self._group, slot)
