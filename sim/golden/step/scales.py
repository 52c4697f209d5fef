"""Real factors as integers, and the exponents of tensors.

All of it is float64, + − × ÷ and powers of two only: the same everywhere. Real numbers are finite
and round to the nearest integer, ties up: ⌊x + ½⌋.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import numerics as words
from fractrain.sim.golden.step.rounding import Integers

Reals = NDArray[np.float64]

LEAST = 2.0**-100
"""Floor of a range: a tensor of zeros gives zeros, not a division by zero."""
GREATEST = 2.0**100


@dataclass(frozen=True)
class Multiplier:
    """The factor mantissa · 2^−shift; ``mantissa`` has `MULTIPLIER_BITS`, its top bit set."""

    mantissa: int
    shift: int


def multiplier(factor: float) -> Multiplier:
    """The nearest one to ``factor`` > 0: within 2^−17 of it."""
    _, exponent = math.frexp(factor)
    shift = words.MULTIPLIER_BITS - exponent
    mantissa = math.floor(math.ldexp(factor, shift) + 0.5)
    if mantissa == 1 << words.MULTIPLIER_BITS:
        mantissa, shift = mantissa >> 1, shift - 1
    return Multiplier(mantissa, shift)


def exponent(peak: float) -> int:
    """k, so that peak · 2^−k has `PEAK_BITS` bits: in [2^13, 2^14)."""
    _, e = math.frexp(clamp(peak))
    return e - words.PEAK_BITS


def narrow_shift(peak: float) -> int:
    """s of `forward.narrow`: `exponent` of last step's max|sums| in sums of this step, a real
    number. Sums other than zero are 1 at least, so peak counts as 1 at least, and s ≥ −13."""
    return exponent(max(float(peak), 1.0))


def clamp(extent: float) -> float:
    """``extent`` as a divisor: within `LEAST` and `GREATEST`."""
    return min(max(float(extent), LEAST), GREATEST)


def to_integers(x: Reals, bits: int) -> Integers:
    """⌊x + ½⌋, saturated to ``bits`` bits."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return np.clip(np.floor(np.asarray(x, np.float64) + 0.5), low, high).astype(np.int64)


def to_unsigned(x: Reals, bits: int) -> Integers:
    """⌊x + ½⌋ of x ≥ 0, saturated to ``bits`` unsigned bits."""
    return np.maximum(to_integers(x, bits + 1), 0)


def activation_levels(bits: int) -> int:
    """Greatest integer of ``bits``-bit activations."""
    return (1 << bits) - 1


def signed_levels(bits: int) -> int:
    """Greatest magnitude of ``bits``-bit weights and errors; 1 of one bit, which is −1 or 0."""
    return max(1, (1 << (bits - 1)) - 1)


def clip_levels(x: Integers, bits: int) -> Integers:
    """``x`` as weights or errors of ``bits`` bits: ±`signed_levels`; −1 or 0 of one bit."""
    levels = signed_levels(bits)
    wide = np.asarray(x, np.int64)
    return np.clip(wide, -levels, 0 if bits == 1 else levels).astype(np.int64)
