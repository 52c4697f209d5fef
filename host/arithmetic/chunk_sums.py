"""What is made of a step's exact sums: statistics, gradients, means; float64, in a fixed order.

Sums over the pixels of a chunk come as [chunks, C]: of the kernels' tensors, or of a machine that
has the tensors itself (`host.machine_step`). ``columns`` C may be those of several tensors side by
side: no number depends on another column.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fractrain.sim.golden.step.rounding import Integers
from fractrain.sim.golden.step.scales import Reals

STATISTICS_MOMENTUM = 0.1
"""Weight of the newest step in the running statistics."""


def statistics(total: Integers, dispersion: Any, pixels: Integers, step: Any) -> tuple[Any, Any]:
    """Mean and variance of the chunks, weighted by their ``pixels`` [chunks, 1], from Σy and
    n·Σy² − (Σy)², unsigned; a step of y is worth ``step``."""
    count = int(pixels.sum())
    mean = total.sum(axis=0) / count * step
    return mean, _ordered_sum(dispersion / pixels) / count * (step * step)


def _ordered_sum(rows: Reals) -> Reals:
    """Σ of float64 ``rows``, one after the other."""
    total = np.zeros_like(rows[0])
    for each in rows:
        total = total + each
    return total


def moved(old: Reals, newest: Reals) -> Reals:
    """Running statistics after a step that had ``newest``: old + 0.1·(newest − old)."""
    return old + STATISTICS_MOMENTUM * (newest - old)


def norm_gradients(total: Integers, product: Integers, unit: Any, steps: Any) -> tuple[Any, Any]:
    """dγ and dβ from ΣE and ΣE·x̂: E is worth ``unit`` a step, x̂ counts in σ/``steps``."""
    return product.sum(axis=0) * (unit / steps), total.sum(axis=0) * unit


def norm_share(gamma: Reals, beta: Reals, dgamma: Reals, dbeta: Reals) -> float:
    """Σ_c (γ·dγ + β·dβ), channel after channel."""
    share = 0.0
    for each in np.ravel(gamma * dgamma + beta * dbeta).tolist():
        share += each
    return share


def pooled(sums: Integers, scale: float, pixels: int) -> Reals:
    """Means over ``pixels`` of activations worth ``scale`` a step, from their ``sums[N,C]``."""
    return sums.astype(np.float64) * (float(scale) / pixels)


def channel_means(sums: Integers, scale: float, pixels: int) -> Reals:
    """Means over images and pixels, [C], from the same."""
    return sums.sum(axis=0).astype(np.float64) * (float(scale) / (len(sums) * pixels))
