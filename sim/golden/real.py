"""The three convolutions of real numbers, in float32.

The sums of `sim.golden.definition`, rounded by BLAS: not exact, and the last bits depend on the
BLAS and its number of threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.sim.golden.unfolding import channels_first, fold, groups, unfold, windows

Reals = NDArray[np.float32]


def forward(a: Reals, w: Reals, stride: int, padding: int) -> Reals:
    """``y[N,K,P,Q]`` of ``a[N,C,H,W]`` and ``w[K,C,R,S]``."""
    filters, channels, *kernel = w.shape
    depth = channels * kernel[0] * kernel[1]
    height, width = (
        windows(length, taps, stride, padding)
        for length, taps in zip(a.shape[2:], kernel, strict=True)
    )
    y = np.empty((len(a), filters, height, width), np.float32)
    for group in groups(len(a), depth * height * width):
        columns = unfold(
            a[group], (kernel[0], kernel[1]), (height, width), stride, padding, np.float32
        )
        product = w.reshape(filters, depth) @ columns.reshape(depth, -1)
        y[group] = product.reshape(filters, -1, height, width).swapaxes(0, 1)
    return y


def error(e: Reals, w: Reals, stride: int, padding: int, input_size: tuple[int, int]) -> Reals:
    """``dx[N,C,H,W]`` of ``e[N,K,P,Q]`` and ``w[K,C,R,S]``."""
    filters, channels, *kernel = w.shape
    depth = channels * kernel[0] * kernel[1]
    weights = np.ascontiguousarray(w.reshape(filters, depth).T)
    dx = np.empty((len(e), channels, *input_size), np.float32)
    for group in groups(len(e), depth * e.shape[2] * e.shape[3]):
        matrix = channels_first(e[group], np.float32).reshape(filters, -1)
        columns = (weights @ matrix).reshape(channels, *kernel, -1, *e.shape[2:])
        dx[group] = fold(columns, input_size, stride, padding).swapaxes(0, 1)
    return dx


def gradient(a: Reals, e: Reals, stride: int, padding: int, kernel_size: tuple[int, int]) -> Reals:
    """``dw[K,C,R,S]`` of ``a[N,C,H,W]`` and ``e[N,K,P,Q]``."""
    images, filters, height, width = e.shape
    channels = a.shape[1]
    depth = channels * kernel_size[0] * kernel_size[1]
    total = np.zeros((filters, depth), np.float32)
    for group in groups(images, depth * height * width):
        columns = unfold(a[group], kernel_size, (height, width), stride, padding, np.float32)
        matrix = channels_first(e[group], np.float32).reshape(filters, -1)
        total += matrix @ columns.reshape(depth, -1).T
    return total.reshape(filters, channels, *kernel_size)
