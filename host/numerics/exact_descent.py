"""Descent of small parameters in float64, and the schedule of its rate: the same bits on every
machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.host.numerics.exact_math import cosine_of_turns

Reals = NDArray[np.float64]


def descend(
    value: Reals,
    velocity: Reals,
    gradient: Reals | None,
    *,
    rate: float,
    momentum: float,
    weight_decay: float,
) -> tuple[Reals, Reals]:
    """New value and velocity: v ← (momentum·v + gradient) + decay·value;  value ← value − rate·v.

    Without a gradient (of a block that was skipped) it counts as 0.
    """
    velocity = momentum * velocity
    if gradient is not None:
        velocity = velocity + gradient
    velocity = velocity + weight_decay * value
    return value - rate * velocity, velocity


def cosine_decay(progress: float) -> float:
    """½·(1 + cos π·progress): from 1 down to exactly 0, ``progress`` the fraction that is done."""
    return float(0.5 * (1 + cosine_of_turns(0.5 * progress)))
