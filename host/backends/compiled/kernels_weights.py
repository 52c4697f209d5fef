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
TERM_LOW, TERM_HIGH = 2 * LOW, 2 * HIGH + 1


@kernel
def scale(x: int, by: Any) -> Any:
    """sat33(round(x · mantissa · 2^(left − right)))."""
    mantissa, most, left, right = by
    v = min(max(x * mantissa, -most), most) << left
    v = (v + ((1 << right) >> 1)) >> right
    return min(max(v, TERM_LOW), TERM_HIGH)


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
    (mantissa, most, left, right), mantissa 0 for none; an empty array stands for no ``sums``."""
    bytes_ = np.zeros(w.shape[1], np.uint8)
    words_ = np.zeros((-(-w.shape[1] // WORD_PIXELS), w.shape[0] + w.shape[0] % 2), np.uint64)
    start(words_, key0, key1, 0)
    half = (1 << before) >> 1
    mantissa, _, _, right = rate
    noise = right - RANDOM_BITS - 1
    for k in range(w.shape[0]):
        for at in range(0, w.shape[1], WORD_PIXELS):
            fill_run(bytes_[at : at + WORD_PIXELS], words_[at // WORD_PIXELS, k])
        for i in range(w.shape[1]):
            total = scale(v[k, i], momentum) + scale(w[k, i], decay)
            if len(sums):
                total += scale((np.int64(sums[k, i]) + half) >> before, gradient)
            total = min(max(total, LOW), HIGH)
            new_v[k, i] = total
            if noise < 0:
                moved = scale(total, rate)
            else:
                random = (2 * np.int64(bytes_[i]) + 1) << noise
                moved = min(max((total * mantissa + random) >> right, TERM_LOW), TERM_HIGH)
            new_w[k, i] = min(max(w[k, i] - moved, LOW), HIGH)


@kernel
def quantize(w: Any, q: Any, by: Any, least: int, levels: int) -> None:
    """q = clip(round(w · mantissa · 2^(left − right)), least, levels)."""
    mantissa, most, left, right = by
    half = (1 << right) >> 1
    for i in range(len(w)):
        v = min(max(w[i] * mantissa, -most), most) << left
        q[i] = np.int32(min(max((v + half) >> right, least), levels))
