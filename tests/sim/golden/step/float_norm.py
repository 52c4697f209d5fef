"""Batch norm over chunks in float64, forward and back, and layers to try it on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Layer:
    """Sums of a convolution and the error behind its batch norm, [N,C,H,W]; γ and β, [C]."""

    sums: Integers
    error: Integers
    gamma: Reals
    beta: Reals


def layer(seed: int, shape: tuple[int, int, int, int] = (12, 6, 9, 9)) -> Layer:
    """Channels of unlike deviations and means; errors have outliers, and a part along x̂ of 0.05."""
    rng = np.random.default_rng(seed)
    channels = (1, shape[1], 1, 1)
    deviation, mean = rng.uniform(100, 900, channels), rng.normal(0, 500, channels)
    normal = rng.normal(size=shape)
    error = rng.laplace(size=shape) * rng.uniform(0.3, 1, channels) + 0.05 * normal
    error *= 12000 / np.abs(error).max()
    return Layer(
        np.rint(normal * deviation + mean).astype(np.int64),
        np.rint(error).astype(np.int64),
        rng.uniform(0.5, 1.5, shape[1]),
        rng.normal(0, 0.3, shape[1]),
    )


@dataclass(frozen=True)
class Running:
    """Running statistics that count λ."""

    share: float
    mean: Reals
    variance: Reals


def statistics(y: Reals, running: Running | None) -> tuple[Reals, Reals, Reals]:
    """Mean of the chunk, mean and deviation with what is mixed in; [1,C,1,1]."""
    axes = (0, 2, 3)
    own, variance = y.mean(axes, keepdims=True), y.var(axes, keepdims=True)
    if running is None:
        return own, own, np.sqrt(variance)
    shape, rest = (1, -1, 1, 1), 1 - running.share
    mean = running.share * running.mean.reshape(shape) + rest * own
    variance = running.share * running.variance.reshape(shape) + rest * variance
    return own, mean, np.sqrt(variance)


def forward(y: Reals, gamma: Reals, beta: Reals, running: Running | None = None) -> Reals:
    """γ·(y − μ)/σ + β of one chunk."""
    _, mean, deviation = statistics(y, running)
    shape = (1, -1, 1, 1)
    return gamma.reshape(shape) * (y - mean) / deviation + beta.reshape(shape)


def back(y: Reals, e: Reals, gamma: Reals, running: Running | None = None) -> Reals:
    """dx of one chunk: γ/σ · (e − r·Σe/n − r·(y − μ_chunk)/σ · Σ(e·x̂)/n), r = 1 − λ."""
    own, mean, deviation = statistics(y, running)
    rest, axes = 1 - (running.share if running else 0), (0, 2, 3)
    x = (y - mean) / deviation
    means = e.mean(axes, keepdims=True), (e * x).mean(axes, keepdims=True)
    inner = e - rest * means[0] - rest * (y - own) / deviation * means[1]
    return gamma.reshape(1, -1, 1, 1) / deviation * inner
