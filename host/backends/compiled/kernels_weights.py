"""Kernels of the weights: their update, and their quantization."""

from __future__ import annotations

from typing import Any

import numpy as np

from fractrain.host.backends.compiled.compiling import kernel
from fractrain.host.backends.compiled.kernels_random import fill_run, start
from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.random_bits import WORD_PIXELS

RANDOM_BITS = words.RANDOM_BITS
LOW, HIGH = -(1 << (words.MASTER_BITS - 1)), (1 << (words.MASTER_BITS - 1)) - 1


@kernel
def scale(x: int, by: Any) -> int:
    """sat33(round(x · mantissa · 2^(left − right)))."""
    mantissa, left, right = by
    v = (((x * mantissa) << left) + ((1 << right) >> 1)) >> right
    return min(max(v, 2 * LOW), 2 * HIGH + 1)


@kernel
def update(
    w: Any,
    v: Any,
    sums: Any,
    new_w: Any,
    new_v: Any,
    before: int,
    gradient: Any,
    momentum: Any,
    decay: Any,
    rate: Any,
    key0: np.uint64,
    key1: np.uint64,
) -> None:
    """`sim.golden.step.weights.update` of ``[filters, weights of a filter]``. The factors:
    (mantissa, left, right), mantissa 0 for none; an empty array stands for no ``sums``."""
    bytes_ = np.zeros(w.shape[1], np.uint8)
    words_ = np.zeros((-(-w.shape[1] // WORD_PIXELS), w.shape[0] + w.shape[0] % 2), np.uint64)
    start(words_, key0, key1, 0)
    half = (1 << before) >> 1
    mantissa, left, right = rate
    finest = right >= RANDOM_BITS
    for k in range(w.shape[0]):
        for at in range(0, w.shape[1], WORD_PIXELS):
            fill_run(bytes_[at : at + WORD_PIXELS], words_[at // WORD_PIXELS, k])
        for i in range(w.shape[1]):
            total = scale(v[k, i], momentum) + scale(w[k, i], decay)
            if len(sums):
                total += scale((np.int64(sums[k, i]) + half) >> before, gradient)
            total = min(max(total, LOW), HIGH)
            new_v[k, i] = total
            noise = np.int64(bytes_[i])
            if finest:
                noise <<= right - RANDOM_BITS
            else:
                noise = (1 << right) >> 1
            moved = (((total * mantissa) << left) + noise) >> right
            new_w[k, i] = min(max(w[k, i] - moved * (mantissa != 0), LOW), HIGH)


@kernel
def quantize(w: Any, q: Any, by: Any, least: int, levels: int) -> None:
    """q = clip(round(w · mantissa · 2^(left − right)), least, levels)."""
    mantissa, left, right = by
    half = (1 << right) >> 1
    for i in range(len(w)):
        q[i] = np.int32(min(max((((w[i] * mantissa) << left) + half) >> right, least), levels))
