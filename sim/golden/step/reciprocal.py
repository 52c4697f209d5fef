"""The reciprocal root of a channel's variance: a table and one Newton step, to the last bit."""

from __future__ import annotations

from functools import cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import numerics as words
from fractrain.sim.golden.step.rounding import Integers, round_shift

INDEX_SHIFT = words.RADICAND_BITS - words.TABLE_INDEX_BITS
FIRST_ENTRY = 1 << (words.TABLE_INDEX_BITS - 2)
"""v has its top or its second bit set, so no index is below."""


def reciprocal_root(radicand: NDArray[np.uint64], pixels: Integers) -> Integers:
    """M = 2^22·n/√D within 1.5·10⁻⁵ of itself and its own rounding, at most 2^17 − 1.

        v = ⌊D · 2^−2q⌋                       24 bits, q such that 2^22 ≤ v < 2^24
        t = table[v >> 15]                   17 bits      ≈ 2^28/√v
        p = t² >> 17                         17 bits      ≈ 2^39/v
        u = 3·2^39 − v·p                     41 bits      ≈ 2^40, Newton's step
        r = t·(u >> 17) >> 21                19 bits      ≈ 2^30/√v
        M = min(round(n·r · 2^−(8 + q)), 2^17 − 1)

    All unsigned. D ≥ n²·32² ≥ 2^10, so q ≥ −6, and the last shift is never negative.
    ``radicand``, ``pixels``: of one shape.
    """
    flat = [
        _reciprocal_root(int(d), int(n))
        for d, n in zip(radicand.ravel(), pixels.ravel(), strict=True)
    ]
    return np.array(flat, np.int64).reshape(radicand.shape)


def _reciprocal_root(radicand: int, pixels: int) -> int:
    q = (radicand.bit_length() + 1) // 2 - words.RADICAND_BITS // 2
    v = radicand >> 2 * q if q >= 0 else radicand << -2 * q
    t = reciprocal_table()[v >> INDEX_SHIFT]
    p = (t * t) >> words.SQUARE_SHIFT
    u = (3 << words.NEWTON_FRACTION) - v * p
    r = (t * (u >> words.NEWTON_SHIFT)) >> words.ROOT_SHIFT
    shift = words.ROOT_FRACTION - words.RECIPROCAL_FRACTION + q
    return min(int(round_shift(pixels * r, shift)), (1 << words.RECIPROCAL_BITS) - 1)


@cache
def reciprocal_table() -> tuple[int, ...]:
    """Entry i, 128 ≤ i < 512: ⌊2^28/√((i + ½)·2^15)⌋, of the middle of its interval; 0 below 128,
    where no index is."""
    square = 1 << 2 * words.TABLE_FRACTION
    middles = [(2 * i + 1) << (INDEX_SHIFT - 1) for i in range(1 << words.TABLE_INDEX_BITS)]
    return tuple(
        0 if i < FIRST_ENTRY else isqrt(square // middle) for i, middle in enumerate(middles)
    )
