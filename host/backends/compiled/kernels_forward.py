"""Kernels of the way forward: narrow, form.

Tensors are flat, in either memory format; (``block``, ``wide``, ``tile``, ``turns``) say how to
walk them (`kernels_tiles.Walk`), from block ``first`` up to ``last``. ``images`` of a chunk.

Numbers of 32 bits are kept so by ``short(…)``: Numba's sums and products of them have 64, of which
the compiler drops what is not wanted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fractrain.host.backends.compiled.compiling import kernel
from fractrain.host.backends.compiled.kernels_tiles import fold, lay
from fractrain.hw.contract import numerics as words

MEAN_FRACTION = words.MEAN_FRACTION
LOW, HIGH = -(1 << (words.NARROW_BITS - 1)), (1 << (words.NARROW_BITS - 1)) - 1
long: Any = np.int64
short: Any = np.int32


@kernel
def narrow(
    sums: Any,
    y: Any,
    totals: Any,
    squares: Any,
    is_short: bool,
    most: int,
    left: int,
    right: int,
    block: int,
    wide: int,
    tile: int,
    turns: bool,
    first: int,
    last: int,
) -> Any:
    """y = sat16(round(sums · 2^(left − right))), Σy and Σy² of each image and channel; max|sums|.

    ``sums`` saturate at ±``most`` before they are shifted to the left. ``is_short``: they are
    2^24 at most, and are not shifted to the left.
    """
    low: Any = 0
    high: Any = 0
    t1, t2 = np.zeros(tile, np.int32), np.zeros(tile, np.int64)
    groups = totals.shape[1] // wide
    for b in range(first, last):
        end = (b + 1) * block
        for start in range(b * block, end, tile):
            stop = min(start + tile, end)
            source, target = sums[start:stop], y[start:stop]
            if is_short:
                lowest, highest = narrow_short(source, target, t1, t2, right)
            else:
                lowest, highest = narrow_long(source, target, t1, t2, most, left, right)
            low, high = min(low, long(lowest)), max(high, long(highest))
        image, channel = b // groups, b % groups * wide
        fold(t1, totals, image, channel, wide, turns)
        fold(t2, squares, image, channel, wide, turns)
    return max(high, -low)


@kernel
def narrow_long(sums: Any, y: Any, t1: Any, t2: Any, most: int, left: int, right: int) -> Any:
    """`narrow` of a tile; the least and the greatest of the sums, and 0."""
    low: Any = 0
    high: Any = 0
    half = (1 << right) >> 1
    for i in range(len(y)):
        v = long(sums[i])
        low, high = min(low, v), max(high, v)
        v = ((min(max(v, -most), most) << left) + half) >> right
        v = short(min(max(v, LOW), HIGH))
        y[i] = v
        t1[i] = short(t1[i] + v)
        t2[i] += short(v * v)
    return low, high


@kernel
def narrow_short(sums: Any, y: Any, t1: Any, t2: Any, right: int) -> Any:
    """The same in 32 bits."""
    right = min(right, 30)
    half, low, high = short((1 << right) >> 1), short(0), short(0)
    for i in range(len(y)):
        v = short(sums[i])
        low, high = min(low, v), max(high, v)
        v = short(short(v + half) >> short(right & 31))
        v = min(max(v, short(LOW)), short(HIGH))
        y[i] = v
        t1[i] = short(t1[i] + v)
        t2[i] += short(v * v)
    return low, high


@kernel
def normalize(y: Any, x: Any, z: Any, laid: Any, right: int, levels: int) -> None:
    """x̂ of a tile, and z += G·x̂ + B; all of 32 bits.

    M = 2^8·M₁ + M₀, as in ⌊(2^8·p + q)·2^−s⌋ = ⌊(p + ⌊q·2^−8⌋)·2^−(s−8)⌋.
    """
    mean, upper, lower, factor, offset = laid[0], laid[1], laid[2], laid[3], laid[4]
    half, rest = short((1 << right) >> 1), short((right - 8) & 31)
    low, high = short(-levels), short(levels)
    for i in range(len(y)):
        d = short(short(short(y[i]) << MEAN_FRACTION) - mean[i])
        v = short(short(short(d * lower[i]) + half) >> 8)
        v = short(short(short(d * upper[i]) + v) >> rest)
        v = min(max(v, low), high)
        x[i] = v
        z[i] = short(z[i] + short(short(factor[i] * v) + offset[i]))


@kernel
def round_to(x: Any, out: Any, right: int, low: int, high: int) -> None:
    """out = clip(round(x · 2^−right), low, high) of 32 bits."""
    half, right_ = short((1 << right) >> 1), short(right & 31)
    low_, high_ = short(low), short(high)
    for i in range(len(x)):
        out[i] = min(max(short(short(x[i] + half) >> right_), low_), high_)


@kernel
def add_residual(r: Any, z: Any, factor: int, right: int) -> None:
    """z += round(ρ·r · 2^−right)."""
    half = (1 << right) >> 1
    for i in range(len(r)):
        z[i] = short(z[i] + ((factor * long(r[i]) + half) >> right))


@kernel
def form(
    one: Any,
    other: Any,
    residual: Any,
    mask: Any,
    activations: Any,
    stream: Any,
    block: int,
    wide: int,
    tile: int,
    turns: bool,
    images: int,
    first: int,
    last: int,
) -> Any:
    """z of each element, 32 bits, and what is made of it; the greatest z.

    ``one``, ``other``: (y, kept, values, right, levels, kept_right, kept_levels), with the rows μ',
    M₁, M₀, G, B of ``values[5, chunks, C]``. ``residual``: (r, ρ, right); ``mask``: z > 0;
    ``activations`` and ``stream``: (out, right, levels). An empty array stands for none.
    """
    greatest = short(-(1 << 31))
    x, z = np.zeros(tile, np.int32), np.zeros(tile, np.int32)
    laid = np.zeros((2, 5, tile), np.int32)
    groups = one[2].shape[2] // wide
    before: Any = -1
    for b in range(first, last):
        chunk, channel = b // groups // images, b % groups * wide
        if groups > 1 or chunk != before:
            for k in range(5):
                lay(laid[0, k], one[2][k], chunk, channel, wide, turns)
                if len(other[0]):
                    lay(laid[1, k], other[2][k], chunk, channel, wide, turns)
            before = chunk
        end = (b + 1) * block
        for start in range(b * block, end, tile):
            stop = min(start + tile, end)
            part = z[: stop - start]
            part[:] = 0
            add(one, laid[0], x, part, start, stop)
            if len(other[0]):
                add(other, laid[1], x, part, start, stop)
            if len(residual[0]):
                add_residual(residual[0][start:stop], part, residual[1], residual[2])
            for i in range(len(part)):
                greatest = max(greatest, part[i])
            if len(mask):
                positive = mask[start:stop]
                for i in range(len(part)):
                    positive[i] = part[i] > 0
            if len(activations[0]):
                out, right, levels = activations
                round_to(part, out[start:stop], right, 0, levels)
            if len(stream[0]):
                out_r, right, levels = stream
                round_to(part, out_r[start:stop], right, 0, levels)
    return long(greatest)


@kernel
def add(each: Any, laid: Any, x: Any, z: Any, start: int, stop: int) -> None:
    """What a normalization adds to z of a tile; its x̂ is kept if asked for."""
    y, kept, _, right, levels, kept_right, kept_levels = each
    normalize(y[start:stop], x, z, laid, right, levels)
    if len(kept):
        round_to(x[: stop - start], kept[start:stop], kept_right, -kept_levels, kept_levels)
