"""Weights in integers: their quantization and their update.

A master weight w has 32 bits in steps of 2^−28, its momentum v 32 bits in steps of 2^−26.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import numerics as words
from fractrain.sim.golden.step.rounding import (
    LARGEST_SHIFT,
    Integers,
    round_randomly,
    round_shift,
    saturate,
    scale_to,
)
from fractrain.sim.golden.step.scales import (
    Multiplier,
    Number,
    Reals,
    clamp,
    clip_levels,
    multiplier,
    power,
    signed_levels,
    to_integers,
)

WEIGHT_STEP = 2.0**-words.WEIGHT_FRACTION
VELOCITY_STEP = 2.0**-words.VELOCITY_FRACTION

LEAST_FACTOR = 2.0**-60
"""Smaller constants of an update count as 0: they move no 32-bit number."""


def to_master(weights: Reals) -> Integers:
    """Real weights as master weights: round(w · 2^28), saturated."""
    return to_integers(np.asarray(weights, np.float64) / WEIGHT_STEP, words.MASTER_BITS)


def greatest(w: Integers) -> float:
    """max|w|, real."""
    return int(np.abs(w).max(initial=0)) * WEIGHT_STEP


def deviation(w: Integers) -> float:
    """√(Σs²/n), real, with s = sat16(round(w · 2^−16)): w in 2^−12.

    Σs² is exact: 48 bits for up to 2^17 weights.
    """
    return deviation_of(squares(w), max(1, w.size))


def squares(w: Integers) -> int:
    """Σs² of `deviation`."""
    short = saturate(round_shift(w, words.SQUARED_SHIFT), words.SQUARED_BITS)
    return int((short * short).sum())


def deviation_of(squares: Number, count: Number) -> Number:
    """`deviation` of ``count`` weights, from Σs² below 2^53."""
    root = np.sqrt if isinstance(squares, np.ndarray) else math.sqrt
    return root(squares / count) * 2.0**words.SQUARED_SHIFT * WEIGHT_STEP


def weight_scale(extent: Number, bits: Number) -> Number:
    """The real value of a step of ``bits``-bit weights that reach ``extent``."""
    return clamp(extent) / signed_levels(bits)


def weight_multiplier(scale: Number) -> Multiplier:
    """From master weights to weights worth ``scale`` a step."""
    return multiplier(WEIGHT_STEP / scale)


def quantize_weights(w: Integers, bits: int, scale: float) -> Integers:
    """q = clip(round(w·m · 2^−k), ±(2^(b−1) − 1)), m·2^−k the multiplier of 2^−28 / scale; one bit
    is −1 or 0. 32 by 17 bits."""
    by = weight_multiplier(scale)
    product = np.asarray(w, np.int64) * by.mantissa
    return clip_levels(scale_to(product, by.shift, words.MASTER_BITS), bits)


@dataclass(frozen=True)
class UpdateRule:
    """Constants of an update of one tensor.

    ``before``, ``gradient``: shift before, and factor from steps of the gradient's sums to steps of
    v; ``momentum``; ``decay`` from w to v; ``rate`` from v to w. None: 0.
    """

    before: Number
    gradient: Multiplier | None
    momentum: Multiplier | None
    decay: Multiplier | None
    rate: Multiplier | None


def update_rule(
    scale: float, bound: int, *, momentum: float, decay: float, rate: float
) -> UpdateRule:
    """For sums worth ``scale`` each, of magnitude at most ``bound``: shifted, they have 32 bits."""
    before = gradient_before(bound)
    return shifted_rule(scale, before, momentum=momentum, decay=decay, rate=rate)


def shifted_rule(
    scale: Number, before: Number, *, momentum: float, decay: float, rate: float
) -> UpdateRule:
    """The same, for sums that are shifted by ``before``."""
    return UpdateRule(
        before,
        _constant(scale * power(before) / VELOCITY_STEP),
        _constant(momentum),
        _constant(decay * WEIGHT_STEP / VELOCITY_STEP),
        _constant(rate * VELOCITY_STEP / WEIGHT_STEP),
    )


def gradient_before(bound: int) -> int:
    """k₀ of sums of a gradient, of magnitude at most ``bound``."""
    before = 0
    while int(round_shift(bound, before)) >= 1 << (words.MASTER_BITS - 1):
        before += 1
    return before


def _constant(real: Number) -> Multiplier | None:
    """Of several tensors, those that count as 0 have the mantissa 0."""
    if isinstance(real, np.ndarray):
        by = multiplier(real)
        return Multiplier(np.where(real >= LEAST_FACTOR, by.mantissa, 0), by.shift)
    return multiplier(real) if real >= LEAST_FACTOR else None


def update(
    w: Integers,
    v: Integers,
    sums: Integers | None,
    rule: UpdateRule,
    random: NDArray[np.uint8],
) -> tuple[Integers, Integers]:
    """v' = sat32(μ·v + λ·w + gradient),  w' = sat32(w − ⌊rate·v' + (2u + 1)/512⌋), u random,
    0 .. 255.

    Each product, 32 by 17 bits, is rounded by itself and saturates at 33 bits; to nearest but for
    the last.
    """
    total = _scaled(v, rule.momentum) + _scaled(w, rule.decay)
    if sums is not None:
        total = total + _scaled(round_shift(sums, rule.before), rule.gradient)
    v = saturate(total, words.MASTER_BITS)
    return saturate(w - _moved(v, rule.rate, random), words.MASTER_BITS), v


def _scaled(x: Integers, by: Multiplier | None) -> Integers:
    if by is None:
        return x * 0
    return scale_to(x * by.mantissa, by.shift, words.UPDATE_TERM_BITS)


def _moved(v: Integers, by: Multiplier | None, random: NDArray[np.uint8]) -> Integers:
    if by is None or by.shift <= words.RANDOM_BITS:  # whole steps and more
        return _scaled(v, by)
    moved = round_randomly(v * by.mantissa, min(by.shift, LARGEST_SHIFT), random)
    return saturate(moved, words.UPDATE_TERM_BITS)
