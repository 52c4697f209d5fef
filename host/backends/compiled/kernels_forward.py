"""Kernels of the way forward: narrow, form.

Tensors are flat, in either memory format; (``block``, ``wide``, ``tile``, ``turns``) say how to
walk them (`kernels_tiles.Walk`), from block ``first`` up to ``last``. ``images`` of a chunk.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fractrain.host.backends.compiled.compiling import kernel
from fractrain.host.backends.compiled.kernels_tiles import fold, lay
from fractrain.hw.contract import numerics as words

MEAN_FRACTION = words.MEAN_FRACTION
LOW, HIGH = -(1 << (words.NARROW_BITS - 1)), (1 << (words.NARROW_BITS - 1)) - 1


@kernel
def narrow(
    sums: Any,
    y: Any,
    totals: Any,
    squares: Any,
    limit: int,
    left: int,
    right: int,
    block: int,
    wide: int,
    tile: int,
    turns: bool,
    first: int,
    last: int,
) -> int:
    """y = sat16(round(sums · 2^(left − right))), Σy and Σy² of each image and channel; max|sums|.

    ``sums`` saturate at ±``limit`` before they are shifted to the left.
    """
    half = (1 << right) >> 1
    low, high = 0, 0
    t1, t2 = np.zeros(tile, np.int64), np.zeros(tile, np.int64)
    groups = totals.shape[1] // wide
    for b in range(first, last):
        end = (b + 1) * block
        for start in range(b * block, end, tile):
            stop = min(start + tile, end)
            source, target = sums[start:stop], y[start:stop]
            for i in range(stop - start):
                v = np.int64(source[i])
                low, high = min(low, v), max(high, v)
                v = ((min(max(v, -limit), limit) << left) + half) >> right
                v = min(max(v, LOW), HIGH)
                target[i] = v
                t1[i] += v
                t2[i] += v * v
        image, channel = b // groups, b % groups * wide
        fold(t1, totals, image, channel, wide, turns)
        fold(t2, squares, image, channel, wide, turns)
    return max(high, -low)


@kernel
def normalize(
    y: Any,
    x: Any,
    z: Any,
    mean: Any,
    reciprocal: Any,
    factor: Any,
    offset: Any,
    right: int,
    levels: int,
) -> None:
    """x̂ of a tile, and z += G·x̂ + B."""
    half = (1 << right) >> 1
    for i in range(len(y)):
        v = (((np.int64(y[i]) << MEAN_FRACTION) - mean[i]) * reciprocal[i] + half) >> right
        x[i] = min(max(v, -levels), levels)
        z[i] += factor[i] * x[i] + offset[i]


@kernel
def round_to(x: Any, out: Any, left: int, right: int, low: int, high: int) -> None:
    """out = clip(round(x · 2^(left − right)), low, high)."""
    half = (1 << right) >> 1
    for i in range(len(x)):
        out[i] = np.int32(min(max(((x[i] << left) + half) >> right, low), high))


@kernel
def add_residual(r: Any, z: Any, factor: int, left: int, right: int) -> None:
    """z += round(ρ·r · 2^(left − right))."""
    half = (1 << right) >> 1
    for i in range(len(r)):
        z[i] += (((factor * np.int64(r[i])) << left) + half) >> right


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
) -> int:
    """z of each element, and what is made of it; the greatest z.

    ``one``, ``other``: (y, kept, values, right, levels, kept_right, kept_levels), with the rows μ',
    M, G, B of ``values[4, chunks, C]``. ``residual``: (r, ρ, left, right); ``mask``: z > 0;
    ``activations`` and ``stream``: (out, left, right, levels). An empty array stands for none.
    """
    greatest = np.int64(-(1 << 62))
    x, z = np.zeros(tile, np.int64), np.zeros(tile, np.int64)
    laid = np.zeros((2, 4, tile), np.int64)
    groups = one[2].shape[2] // wide
    for b in range(first, last):
        chunk, channel = b // groups // images, b % groups * wide
        for k in range(4):
            lay(laid[0, k], one[2][k], chunk, channel, wide, turns)
            if len(other[0]):
                lay(laid[1, k], other[2][k], chunk, channel, wide, turns)
        end = (b + 1) * block
        for start in range(b * block, end, tile):
            stop = min(start + tile, end)
            z[:] = 0
            part = z[: stop - start]
            add(one, laid[0], x, part, start, stop)
            if len(other[0]):
                add(other, laid[1], x, part, start, stop)
            if len(residual[0]):
                add_residual(residual[0][start:stop], part, residual[1], residual[2], residual[3])
            for i in range(len(part)):
                greatest = max(greatest, part[i])
            if len(mask):
                positive = mask[start:stop]
                for i in range(len(part)):
                    positive[i] = part[i] > 0
            if len(activations[0]):
                out, left, right, levels = activations
                round_to(part, out[start:stop], left, right, 0, levels)
            if len(stream[0]):
                out_r, left, right, levels = stream
                round_to(part, out_r[start:stop], left, right, 0, levels)
    return greatest


@kernel
def add(each: Any, laid: Any, x: Any, z: Any, start: int, stop: int) -> None:
    """What a normalization adds to z of a tile; its x̂ is kept if asked for."""
    y, kept, _, right, levels, kept_right, kept_levels = each
    mean, reciprocal, factor, offset = laid[0], laid[1], laid[2], laid[3]
    normalize(y[start:stop], x, z, mean, reciprocal, factor, offset, right, levels)
    if len(kept):
        round_to(x[: stop - start], kept[start:stop], 0, kept_right, -kept_levels, kept_levels)
