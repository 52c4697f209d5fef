"""The reciprocal root of a channel's dispersion, as docs/numerics.md has it."""

from __future__ import annotations

from math import isqrt

from fractrain.hw.contract import numerics as words

INDEX_SHIFT = words.RADICAND_BITS - words.TABLE_INDEX_BITS
LEAST_RADICAND = 1 << (words.RADICAND_BITS - 2)


def reciprocal_root(dispersion: int, pixels: int) -> int:
    """M of ``dispersion`` D' ≥ n²·32² and ``pixels`` n: 17 bits, unsigned."""
    q = 0
    while dispersion >> 2 * q >= 1 << words.RADICAND_BITS:
        q += 1
    v = dispersion >> 2 * q
    while v < LEAST_RADICAND:
        q -= 1
        v = dispersion << -2 * q
    t = table_entry(v >> INDEX_SHIFT)
    p = t * t >> words.SQUARE_SHIFT
    u = (3 << words.NEWTON_FRACTION) - v * p
    r = t * (u >> words.NEWTON_SHIFT) >> words.ROOT_SHIFT
    shift = words.ROOT_FRACTION - words.RECIPROCAL_FRACTION + q
    scaled = pixels * r
    rounded = scaled if shift <= 0 else (scaled + (1 << (shift - 1))) >> shift
    return min(rounded, (1 << words.RECIPROCAL_BITS) - 1)


def table_entry(index: int) -> int:
    """⌊2^28 / √((i + ½)·2^15)⌋."""
    return isqrt((1 << 2 * words.TABLE_FRACTION - INDEX_SHIFT + 1) // (2 * index + 1))
