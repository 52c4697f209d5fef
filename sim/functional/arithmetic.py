"""Integers of the vector unit: rounding shifts, saturation, random rounding (docs/numerics.md)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.numerics import RANDOM_BITS

Integers = NDArray[np.int64]

_LARGEST = 63
"""Shift of an int64 that leaves its sign."""


def round_shift(x: Integers, shift: int) -> Integers:
    """⌊x · 2^−shift + ½⌋ of int64 ``x``; shifts to the left must fit."""
    if shift <= 0:
        return x << -shift
    halves = x >> min(shift - 1, _LARGEST)
    return halves - (halves >> 1)  # x + 2^(shift − 1) might not fit


def saturate(x: Integers, bits: int) -> Integers:
    """``x`` in two's complement of ``bits``."""
    return np.clip(x, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def shift_saturate(x: Integers, shift: int, bits: int) -> Integers:
    """`saturate` of `round_shift`, also where a shift to the left does not fit."""
    if shift >= 0:
        return saturate(round_shift(x, shift), bits)
    left = min(-shift, _LARGEST - 1)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    shifted = np.where(x > high >> left, high, x << left)
    return np.where(x < -(-low >> left), low, shifted)


def clip_levels(x: Integers, bits: int) -> Integers:
    """Weights and errors of ``bits``: ±(2^(b−1) − 1); of one bit −1 or 0."""
    if bits == 1:
        return np.clip(x, -1, 0)
    most = (1 << (bits - 1)) - 1
    return np.clip(x, -most, most)


def round_randomly(x: Integers, shift: int, random: Integers) -> Integers:
    """⌊x · 2^−shift + (2u + 1)/512⌋ for u of ``random``; ``shift`` of 9 and more."""
    fraction = RANDOM_BITS + 1
    return ((x >> min(shift - fraction, _LARGEST)) + 2 * random + 1) >> fraction


def unsigned_clip(x: Integers, bits: int) -> Integers:
    """``x`` in 0 .. 2^bits − 1."""
    return np.clip(x, 0, (1 << bits) - 1)


def sign_extend(raw: Integers, bits: int) -> Integers:
    """``raw`` of 0 .. 2^bits − 1 as two's complement."""
    return raw - ((raw >> (bits - 1)) << bits)


def cut(x: Integers, bits: int) -> Integers:
    """The low ``bits`` of ``x``, as two's complement."""
    return sign_extend(x & ((1 << bits) - 1), bits)
