"""Real factors as integers, and the exponents of tensors.

All of it is float64, + − × ÷ and powers of two only: the same everywhere. Real numbers are finite
and round to the nearest integer, ties up: ⌊x + ½⌋. A number of a tensor may be an array of those of
several tensors, and so is the result then (`Number`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import numerics as words
from fractrain.sim.golden.step.rounding import Integers

Reals = NDArray[np.float64]

LEAST = 2.0**-100
"""Floor of a range: a tensor of zeros gives zeros, not a division by zero."""
GREATEST = 2.0**100


Number = Any
"""Of a tensor, int or float; or an array of several tensors' numbers."""


@dataclass(frozen=True)
class Multiplier:
    """The factor mantissa · 2^−shift; ``mantissa`` has `MULTIPLIER_BITS`, its top bit set."""

    mantissa: Number
    shift: Number


def multiplier(factor: Number) -> Multiplier:
    """The nearest one to ``factor`` > 0: within 2^−17 of it."""
    if isinstance(factor, np.ndarray):
        return _multipliers(factor)
    _, exponent = math.frexp(factor)
    shift = words.MULTIPLIER_BITS - exponent
    mantissa = math.floor(math.ldexp(factor, shift) + 0.5)
    if mantissa == 1 << words.MULTIPLIER_BITS:
        mantissa, shift = mantissa >> 1, shift - 1
    return Multiplier(mantissa, shift)


def _multipliers(factors: Reals) -> Multiplier:
    _, exponents = np.frexp(factors)
    shifts = words.MULTIPLIER_BITS - exponents
    mantissas = np.floor(np.ldexp(factors, shifts) + 0.5).astype(np.int64)
    carried = mantissas >> words.MULTIPLIER_BITS
    return Multiplier(mantissas >> carried, shifts - carried)


def exponent(peak: Number) -> Number:
    """k, so that peak · 2^−k has `PEAK_BITS` bits: in [2^13, 2^14)."""
    limited = clamp(peak)
    frexp = np.frexp if isinstance(limited, np.ndarray) else math.frexp
    return frexp(limited)[1] - words.PEAK_BITS


def narrow_shift(peak: Number) -> Number:
    """s of `forward.narrow`: `exponent` of last step's max|sums| in sums of this step, a real
    number. Sums other than zero are 1 at least, so peak counts as 1 at least, and s ≥ −13."""
    if isinstance(peak, np.ndarray):
        return exponent(np.maximum(peak, 1.0))
    return exponent(max(float(peak), 1.0))


def clamp(extent: Number) -> Number:
    """``extent`` as a divisor: within `LEAST` and `GREATEST`."""
    if isinstance(extent, np.ndarray):
        return np.minimum(np.maximum(extent, LEAST), GREATEST)
    return min(max(float(extent), LEAST), GREATEST)


def power(exponent: Number) -> Number:
    """2^exponent, exact."""
    if isinstance(exponent, np.ndarray):
        # an exponent has 32 bits: processors of 32 bits have no other
        return np.ldexp(1.0, exponent.astype(np.int32))
    return 2.0**exponent


def to_integers(x: Reals, bits: int) -> Integers:
    """⌊x + ½⌋, saturated to ``bits`` bits."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return np.clip(np.floor(np.asarray(x, np.float64) + 0.5), low, high).astype(np.int64)


def to_unsigned(x: Reals, bits: int) -> Integers:
    """⌊x + ½⌋ of x ≥ 0, saturated to ``bits`` unsigned bits."""
    return np.maximum(to_integers(x, bits + 1), 0)


def activation_levels(bits: Number) -> Number:
    """Greatest integer of ``bits``-bit activations."""
    return (1 << bits) - 1


def signed_levels(bits: Number) -> Number:
    """Greatest magnitude of ``bits``-bit weights and errors; 1 of one bit, which is −1 or 0."""
    levels = (1 << (bits - 1)) - 1
    return np.maximum(1, levels) if isinstance(levels, np.ndarray) else max(1, levels)


def clip_levels(x: Integers, bits: int) -> Integers:
    """``x`` as weights or errors of ``bits`` bits: ±`signed_levels`; −1 or 0 of one bit."""
    levels = signed_levels(bits)
    wide = np.asarray(x, np.int64)
    return np.clip(wide, -levels, 0 if bits == 1 else levels).astype(np.int64)
