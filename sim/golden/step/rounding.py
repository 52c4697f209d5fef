"""Rounding and saturation of integers.

round(x · 2^−k) = ⌊x · 2^−k + ½⌋            ties go up
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import numerics as words

Integers = NDArray[np.int64]

LARGEST_SHIFT = 62


def round_shift(x: Any, shift: int) -> Any:
    """``round(x · 2^−shift)`` of integers of 64 bits; ``shift`` of either sign.

        ⌊x·2^−s + ½⌋ = h − ⌊h/2⌋,  h = ⌊x·2^−(s−1)⌋        no sum that could be too great

    The caller knows that x·2^−shift fits if ``shift`` is negative; else `scale_to` is for it.
    """
    if shift <= 0:
        return x << -shift
    halves = x >> min(shift - 1, 63)
    return halves - (halves >> 1)


def scale_to(x: Any, shift: int, bits: int) -> Any:
    """``saturate(round(x · 2^−shift), bits)`` for every ``shift``, however far to the left."""
    x = _wide(x)
    if shift < 0:
        left = min(-shift, bits)  # farther, 1 saturates, too
        most = 1 << max(bits - 1 - left, 0)
        x, shift = np.clip(x, -most, most), -left
    return saturate(round_shift(x, shift), bits)


def round_randomly(x: Any, shift: int, random: NDArray[np.uint8]) -> Any:
    """``⌊x · 2^−shift + (2u + 1)/512⌋``, u the ``random`` 0 .. 255; ``shift`` of 9 .. 62.

    The mean over u is x · 2^−shift rounded to nearest in 1/256: no bias, and 0 stays 0. (With
    u/256 the mean would be 1/512 too small.)
    """
    noise = 2 * random.astype(np.int64) + 1
    return (x + (noise << (shift - words.RANDOM_BITS - 1))) >> shift


def round_divide(x: Any, n: Any) -> Any:
    """``round(x / n)`` for n ≥ 1, a true division: the remainder decides, so nothing overflows."""
    quotient = x // n
    remainder = x - quotient * n
    return quotient + (2 * remainder >= n)


def saturate(x: Any, bits: int) -> Any:
    """``x`` in two's complement of ``bits`` bits."""
    return np.clip(_wide(x), -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def clip_symmetric(x: Any, bits: int) -> Any:
    """``x`` in ±(2^(bits−1) − 1)."""
    levels = (1 << (bits - 1)) - 1
    return np.clip(_wide(x), -levels, levels)


def _wide(x: Any) -> Integers:
    """``x`` in int64: NumPy's own choice for a Python integer is 32 bits on 32-bit processors."""
    return np.asarray(x, np.int64)
