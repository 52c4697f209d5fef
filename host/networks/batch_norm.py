"""Batch norm of each channel over images and pixels, in float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from fractrain.host.graph.builder import Builder
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.execution import Execution
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.numerics.elementwise import elements
from fractrain.host.numerics.quantization import Array

EPSILON = 1e-5
MOMENTUM = 0.1
"""Weight of the newest batch in the running statistics."""


class BatchNorm:
    """y = γ·x̂ + β with x̂ = (x − mean) / √(variance + ε), per channel.

    Training uses the statistics of the batch (variance without Bessel's correction) and updates
    the running ones (variance with it); evaluation uses the running ones. With n elements per
    channel, the backward pass is

        dγ = Σ e·x̂,   dβ = Σ e,   dx = γ / √(variance + ε) · (e − dβ/n − x̂·dγ/n)

    ``group``: the batch is cut into *ghost batches* of so many images, each normalized by its own
    statistics; the running ones follow their means. None: the whole batch is one. Hardware that
    keeps only part of a batch on the chip can normalize nothing larger.

    Backward passes undo forward passes, the last first.

    Sources: Ioffe and Szegedy, Batch Normalization, 2015; Hoffer et al., Train longer, generalize
    better, 2017 (ghost batches).
    """

    def __init__(self, name: str, channels: int, group: int | None = None) -> None:
        shape = (1, channels, 1, 1)
        self.gamma = Parameter(f"{name}.gamma", np.ones(shape, np.float32))
        self.beta = Parameter(f"{name}.beta", np.zeros(shape, np.float32))
        self.mean = Statistic(f"{name}.mean", np.zeros(shape, np.float32))
        self.variance = Statistic(f"{name}.variance", np.ones(shape, np.float32))
        self.name, self._group = name, group
        self._saved: list[list[Any]] = []

    def parameters(self) -> list[Parameter]:
        return [self.gamma, self.beta]

    def statistics(self) -> list[Statistic]:
        return [self.mean, self.variance]

    def emit(self, builder: Builder, x: Tensor, slot: int | None = None) -> Tensor:
        """``x`` normalized."""
        scale, running = (self.gamma, self.beta), (self.mean, self.variance)
        return builder.batch_norm(self.name, x, scale, running, self._group, slot)

    def forward(self, x: Array, execution: Execution) -> Array:
        """Normalize ``x[N,C,H,W]``, whose memory is reused."""
        xp = execution.xp
        if execution.training is None:
            scale = self.gamma.value / xp.sqrt(self.variance.value + EPSILON)
            x *= scale
            x += self.beta.value - self.mean.value * scale
            return x
        groups = [
            execution.elementwise.normalize(part, self.gamma.value, self.beta.value, EPSILON)
            for part in self._parts(x)
        ]
        if execution.keeps:
            self._saved.append([each.saved for each in groups])
        count = elements(x) // len(groups)
        self._update_running(
            _mean([each.mean for each in groups]), _mean([each.variance for each in groups]), count
        )
        return groups[0].y if len(groups) == 1 else xp.concatenate([each.y for each in groups])

    def backward(self, e: Array, execution: Execution) -> Array:
        """Add to the gradients of γ and β, return the error at the input."""
        if not self._saved:
            raise RuntimeError(f"{self.gamma.name}: no forward pass in training to go back through")
        errors = []
        for saved, part in zip(self._saved.pop(), self._parts(e), strict=True):
            dx, dgamma, dbeta = execution.elementwise.normalize_backward(
                part, saved, self.gamma.value
            )
            self.gamma.add_gradient(dgamma)
            self.beta.add_gradient(dbeta)
            errors.append(dx)
        return errors[0] if len(errors) == 1 else execution.xp.concatenate(errors)

    def _parts(self, x: Array) -> list[Array]:
        """The ghost batches of ``x``; the last one is smaller where they do not divide it."""
        if self._group is None or self._group >= x.shape[0]:
            return [x]
        return [x[start : start + self._group] for start in range(0, x.shape[0], self._group)]

    def _update_running(self, mean: Array, variance: Array, count: int) -> None:
        unbiased = variance * (count / max(1, count - 1))
        for running, batch in ((self.mean, mean), (self.variance, unbiased)):
            running.value = running.value + MOMENTUM * (batch - running.value)


def _mean(arrays: list[Array]) -> Array:
    return sum(arrays[1:], arrays[0]) / len(arrays) if len(arrays) > 1 else arrays[0]
