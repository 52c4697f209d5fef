"""Kernels of the way back: join, apply. Arguments as in `kernels_forward`."""

from __future__ import annotations

from typing import Any

import numpy as np

from fractrain.host.backends.compiled.compiling import kernel
from fractrain.host.backends.compiled.kernels_random import fill
from fractrain.host.backends.compiled.kernels_random import start as start_words
from fractrain.host.backends.compiled.kernels_tiles import fold, lay
from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.random_bits import WORD_PIXELS

MEAN_FRACTION, RANDOM_BITS = words.MEAN_FRACTION, words.RANDOM_BITS
LOW, HIGH = -(1 << (words.NARROW_BITS - 1)), (1 << (words.NARROW_BITS - 1)) - 1


JOIN_LOW, JOIN_HIGH = -(1 << (words.JOIN_BITS - 1)), (1 << (words.JOIN_BITS - 1)) - 1
long: Any = np.int64
short: Any = np.int32


@kernel
def add_sums(
    sums: Any, out: Any, before: int, mantissa: int, most: int, left: int, right: int
) -> None:
    """out += sat24(round(round(sums · 2^−before) · mantissa · 2^(left − right))) of a tile; the
    product saturates at ±``most`` before it is shifted to the left."""
    half_before, half = (1 << before) >> 1, (1 << right) >> 1
    if left:
        for i in range(len(sums)):
            v = ((long(sums[i]) + half_before) >> before) * mantissa
            v = min(max(v, -most), most) << left
            out[i] = short(out[i] + min(max(v, JOIN_LOW), JOIN_HIGH))
    else:
        for i in range(len(sums)):
            v = ((long(sums[i]) + half_before) >> before) * mantissa
            v = (v + half) >> right
            out[i] = short(out[i] + min(max(v, JOIN_LOW), JOIN_HIGH))


@kernel
def sum_products(e: Any, x: Any, sums: Any) -> None:
    """sums += e·x̂ of a tile."""
    for i in range(len(x)):
        sums[i] += np.int32(np.int32(e[i]) * np.int32(x[i]))


@kernel
def join(
    sums_1: Any,
    sums_2: Any,
    stream_1: Any,
    stream_2: Any,
    mask: Any,
    x_1: Any,
    x_2: Any,
    e: Any,
    totals: Any,
    block: int,
    wide: int,
    tile: int,
    turns: bool,
    first: int,
    last: int,
) -> Any:
    """E = sat16(mask · Σ); in ``totals[3, N, C]`` ΣE, ΣE·x̂ and that of the second x̂, of each image;
    max|mask · Σ|.

    ``sums_*``: (sums, before, mantissa, most, left, right); ``stream_*``: (e, 0, 1, most, left,
    right). An empty array stands for none.
    """
    low, high = short(0), short(0)
    total, t1 = np.zeros(tile, np.int32), np.zeros(tile, np.int32)
    t2 = np.zeros((2, tile), np.int64)
    groups = totals.shape[2] // wide
    for b in range(first, last):
        end = (b + 1) * block
        for start in range(b * block, end, tile):
            stop = min(start + tile, end)
            total[:] = 0
            part = total[: stop - start]
            add(sums_1, part, start, stop)
            add(sums_2, part, start, stop)
            add(stream_1, part, start, stop)
            add(stream_2, part, start, stop)
            if len(mask):
                positive = mask[start:stop]
                for i in range(len(part)):
                    part[i] = part[i] if positive[i] else short(0)
            target = e[start:stop]
            for i in range(len(part)):
                v = part[i]
                low, high = min(low, v), max(high, v)
                v = min(max(v, short(LOW)), short(HIGH))
                target[i] = v
                t1[i] = short(t1[i] + v)
            if len(x_1):
                sum_products(target, x_1[start:stop], t2[0])
            if len(x_2):
                sum_products(target, x_2[start:stop], t2[1])
        image, channel = b // groups, b % groups * wide
        fold(t1, totals[0], image, channel, wide, turns)
        fold(t2[0], totals[1], image, channel, wide, turns)
        fold(t2[1], totals[2], image, channel, wide, turns)
    return max(long(high), -long(low))


@kernel
def add(each: Any, out: Any, start: int, stop: int) -> None:
    """What sums or a stream add to a tile, if they are there."""
    sums, before, mantissa, most, left, right = each
    if len(sums):
        add_sums(sums[start:stop], out, before, mantissa, most, left, right)


@kernel
def apply(
    e: Any,
    x: Any,
    out: Any,
    values: Any,
    right: int,
    least: int,
    levels: int,
    key0: np.uint64,
    key1: np.uint64,
    block: int,
    wide: int,
    tile: int,
    turns: bool,
    images: int,
    first: int,
    last: int,
) -> Any:
    """Quantized errors, clip(⌊W·2^−right + (2u + 1)/512⌋, least, levels), and max|W|; the rows of
    ``values[3, chunks, C]`` are T₁', A, B lifted."""
    low, high = long(0), long(0)
    laid = np.zeros((3, tile), np.int64)
    random, channels = np.zeros(tile, np.uint8), values.shape[2]
    words_ = np.zeros((-(-block // wide // WORD_PIXELS), channels + channels % 2), np.uint64)
    groups, before, noise = values.shape[2] // wide, -1, right - RANDOM_BITS - 1
    for b in range(first, last):
        image, channel = b // groups, b % groups * wide
        if channel == 0 or b == first:
            start_words(words_, key0, key1, image)
        if groups > 1 or image // images != before:
            before = image // images
            for k in range(3):
                lay(laid[k], values[k], before, channel, wide, turns)
        mean, a, slope = laid[0], laid[1], laid[2]
        end = (b + 1) * block
        for start in range(b * block, end, tile):
            stop = min(start + tile, end)
            part = random[: stop - start]
            fill(part, words_, channel, start - b * block, wide, turns)
            e_, x_, target = e[start:stop], x[start:stop], out[start:stop]
            for i in range(stop - start):
                w = ((long(e_[i]) << MEAN_FRACTION) - mean[i]) * a[i] + slope[i] * long(x_[i])
                low, high = min(low, w), max(high, w)
                w += (2 * long(part[i]) + 1) << noise
                target[i] = np.int32(min(max(w >> right, least), levels))
    return max(high, -low)
