"""Weights in integers: their quantization and their update.

A master weight w has 32 bits in steps of 2^−28, its momentum v 32 bits in steps of 2^−26.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import numerics as words
from fractrain.sim.golden.step.rounding import Integers, round_shift, saturate
from fractrain.sim.golden.step.scales import (
    Multiplier,
    Reals,
    clamp,
    multiplier,
    signed_levels,
    to_integers,
)

WEIGHT_STEP = 2.0**-words.WEIGHT_FRACTION
VELOCITY_STEP = 2.0**-words.VELOCITY_FRACTION


def to_master(weights: Reals) -> Integers:
    """Real weights as master weights: round(w · 2^28), saturated."""
    return to_integers(np.asarray(weights, np.float64) / WEIGHT_STEP, words.MASTER_BITS)


def greatest(w: Integers) -> float:
    """max|w|, real."""
    return int(np.abs(w).max(initial=0)) * WEIGHT_STEP


def deviation(w: Integers) -> float:
    """√(Σw²/n), real, of w without its 12 lowest bits (rounded): 20-bit squares, whose sum is
    exact for fewer than 2^25 weights."""
    short = round_shift(w, words.SQUARED_SHIFT)
    mean = int((short * short).sum()) / max(1, w.size)
    return math.sqrt(mean) * 2.0**words.SQUARED_SHIFT * WEIGHT_STEP


def weight_scale(extent: float, bits: int) -> float:
    """The real value of a step of ``bits``-bit weights that reach ``extent``."""
    return clamp(extent) / signed_levels(bits)


def quantize_weights(w: Integers, bits: int, scale: float) -> Integers:
    """q = clip(round(w·m · 2^−k), ±(2^(b−1) − 1)), m·2^−k the multiplier of 2^−28 / scale; one bit
    is −1 or 0. 32 by 17 bits."""
    by = multiplier(WEIGHT_STEP / scale)
    rounded = round_shift(w * by.mantissa, max(by.shift, -(62 - 49)))
    levels = signed_levels(bits)
    return np.clip(rounded, -levels, 0 if bits == 1 else levels).astype(np.int64)


@dataclass(frozen=True)
class UpdateRule:
    """Constants of an update of one tensor.

    ``before``, ``gradient``: shift before, and factor from steps of the gradient's sums to steps of
    v; ``momentum``; ``decay`` from w to v; ``rate`` from v to w. None: 0.
    """

    before: int
    gradient: Multiplier | None
    momentum: Multiplier | None
    decay: Multiplier | None
    rate: Multiplier | None


def update_rule(
    scale: float, bound: int, *, momentum: float, decay: float, rate: float
) -> UpdateRule:
    """For sums worth ``scale`` each, of magnitude at most ``bound``."""
    before = 0
    while int(round_shift(bound, before)) >= 1 << (words.MASTER_BITS - 1):
        before += 1

    def factor(real: float) -> Multiplier | None:
        return multiplier(real) if real >= 2.0**-60 else None

    return UpdateRule(
        before,
        factor(scale * 2.0**before / VELOCITY_STEP),
        factor(momentum),
        factor(decay * WEIGHT_STEP / VELOCITY_STEP),
        factor(rate * VELOCITY_STEP / WEIGHT_STEP),
    )


def update(
    w: Integers,
    v: Integers,
    sums: Integers | None,
    rule: UpdateRule,
    random: NDArray[np.uint8],
) -> tuple[Integers, Integers]:
    """v' = sat32(μ·v + λ·w + gradient),  w' = sat32(w − ⌊rate·v' + u/256⌋), u random, 0 .. 255.

    Each product is rounded by itself, to nearest but for the last; 32 by 17 bits.
    """
    total = _scaled(v, rule.momentum) + _scaled(w, rule.decay)
    if sums is not None:
        total = total + _scaled(round_shift(sums, rule.before), rule.gradient)
    v = saturate(total, words.MASTER_BITS)
    return saturate(w - _moved(v, rule.rate, random), words.MASTER_BITS), v


def _scaled(x: Integers, by: Multiplier | None) -> Integers:
    if by is None:
        return x * 0
    return saturate(round_shift(x * by.mantissa, max(by.shift, -13)), words.MASTER_BITS + 1)


def _moved(v: Integers, by: Multiplier | None, random: NDArray[np.uint8]) -> Integers:
    if by is None:
        return v * 0
    product, noise = v * by.mantissa, random.astype(np.int64)
    if by.shift < words.RANDOM_BITS:
        return round_shift(product, max(by.shift, -13))
    shift = min(by.shift, 62)
    return (product + (noise << (shift - words.RANDOM_BITS))) >> shift
