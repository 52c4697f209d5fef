"""Rounding and saturation of integers.

round(x · 2^−k) = ⌊x · 2^−k + ½⌋            ties go up
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

LARGEST_SHIFT = 62


def round_shift(x: Any, shift: int) -> Any:
    """``round(x · 2^−shift)`` of integers below 2^62; ``shift`` of either sign.

    The caller knows that x·2^−shift fits if ``shift`` is negative.
    """
    if shift <= 0:
        return x << -shift
    if shift > LARGEST_SHIFT:
        return x & 0
    return (x + (1 << (shift - 1))) >> shift


def round_divide(x: Any, n: Any) -> Any:
    """``round(x / n)`` for n ≥ 1, a true division: the remainder decides, so nothing overflows."""
    quotient = x // n
    remainder = x - quotient * n
    return quotient + (2 * remainder >= n)


def saturate(x: Any, bits: int) -> Any:
    """``x`` in two's complement of ``bits`` bits."""
    return np.clip(x, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def clip_symmetric(x: Any, bits: int) -> Any:
    """``x`` in ±(2^(bits−1) − 1)."""
    levels = (1 << (bits - 1)) - 1
    return np.clip(x, -levels, levels)
