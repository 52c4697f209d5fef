"""Batch norm of each channel over images and pixels, in float32."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from host.networks.execution import Execution
from host.networks.parameter import Parameter
from host.numerics.quantization import Array

EPSILON = 1e-5
MOMENTUM = 0.1
"""Weight of the newest batch in the running statistics."""


class BatchNorm:
    """y = γ·x̂ + β with x̂ = (x − mean) / √(variance + ε), per channel.

    Training uses the statistics of the batch (variance without Bessel's correction) and updates
    the running ones (variance with it); evaluation uses the running ones. With n elements per
    channel, the backward pass is

        dγ = Σ e·x̂,   dβ = Σ e,   dx = γ / √(variance + ε) · (e − dβ/n − x̂·dγ/n)

    Source: Ioffe and Szegedy, Batch Normalization, 2015.
    """

    def __init__(self, name: str, channels: int) -> None:
        shape = (1, channels, 1, 1)
        self.gamma = Parameter(f"{name}.gamma", np.ones(shape, np.float32))
        self.beta = Parameter(f"{name}.beta", np.zeros(shape, np.float32))
        self.running_mean: Any = np.zeros(shape, np.float32)
        self.running_variance: Any = np.ones(shape, np.float32)
        self._saved: tuple[Array, Array] | None = None

    def parameters(self) -> list[Parameter]:
        return [self.gamma, self.beta]

    def forward(self, x: Array, execution: Execution) -> Array:
        """Normalize ``x[N,C,H,W]``, whose memory is reused."""
        xp = execution.xp
        if execution.training is None:
            scale = self.gamma.value / xp.sqrt(self.running_variance + EPSILON)
            x *= scale
            x += self.beta.value - self.running_mean * scale
            return x
        mean = xp.mean(x, axis=(0, 2, 3), keepdims=True)
        x -= mean
        variance = xp.mean(x * x, axis=(0, 2, 3), keepdims=True)
        inverse_deviation = 1 / xp.sqrt(variance + EPSILON)
        x *= inverse_deviation
        self._saved = (x, inverse_deviation)
        self._update_running(mean, variance, _elements(x))
        y = x * self.gamma.value
        y += self.beta.value
        return y

    def backward(self, e: Array, execution: Execution) -> Array:
        """Leave the gradients of γ and β, return the error at the input."""
        if self._saved is None:
            raise RuntimeError(f"{self.gamma.name}: no forward pass in training to go back through")
        xp, (normalized, inverse_deviation) = execution.xp, self._saved
        self._saved = None
        self.beta.gradient = xp.sum(e, axis=(0, 2, 3), keepdims=True)
        product = e * normalized
        self.gamma.gradient = xp.sum(product, axis=(0, 2, 3), keepdims=True)
        count = _elements(e)
        dx = normalized
        dx *= -self.gamma.gradient / count
        dx += e
        dx -= self.beta.gradient / count
        dx *= self.gamma.value * inverse_deviation
        return dx

    def _update_running(self, mean: Array, variance: Array, count: int) -> None:
        unbiased = variance * (count / max(1, count - 1))
        self.running_mean = self.running_mean + MOMENTUM * (mean - self.running_mean)
        self.running_variance = self.running_variance + MOMENTUM * (
            unbiased - self.running_variance
        )


def _elements(x: Array) -> int:
    """Elements per channel of ``x[N,C,H,W]``."""
    return x.shape[0] * math.prod(x.shape[2:])
