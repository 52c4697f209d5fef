"""The convolutions of `sim.golden.definition` as matrix products, fast enough to train with.

`sim.golden.unfolding` says how a convolution becomes a product. Every product is exact
(`sim.golden.exact`): the bound of the whole sum decides the arithmetic, C·R·S terms forward and at
most K·R·S in the error. The gradient sums over all images; where possible it is cut into groups of
images with sums that fit in float32, and the groups are added in int64.

Images are handled in groups; as sums are integers, the result does not depend on the grouping.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.sim.golden.exact import FLOAT32_BOUND, exact_arithmetic, product_bound
from fractrain.sim.golden.unfolding import channels_first, fold, groups, unfold, windows

Integers = NDArray[np.int64]


def forward(
    a: NDArray[np.integer],
    w: NDArray[np.integer],
    *,
    bits: tuple[int, int],
    signed: tuple[bool, bool] = (False, True),
    stride: int,
    padding: int,
) -> Integers:
    """``y[N,K,P,Q]`` of ``a[N,C,H,W]`` and ``w[K,C,R,S]`` of ``bits`` and signs (a, w).

    The caller checks values and shapes (`host.accelerator.Accelerator` does).
    """
    images, channels, height, width = a.shape
    filters, _, *kernel = w.shape
    depth = channels * kernel[0] * kernel[1]
    bound = depth * _product_bound(bits, signed)
    number = exact_arithmetic(bound)
    size = (
        windows(height, kernel[0], stride, padding),
        windows(width, kernel[1], stride, padding),
    )
    weights = w.reshape(filters, depth).astype(number)
    y = np.empty((images, filters, *size), np.int64)
    for group in groups(images, depth * size[0] * size[1]):
        columns = unfold(a[group], (kernel[0], kernel[1]), size, stride, padding, number)
        product = weights @ columns.reshape(depth, -1)
        y[group] = product.reshape(filters, -1, *size).swapaxes(0, 1)
    return y


def error(
    e: NDArray[np.integer],
    w: NDArray[np.integer],
    *,
    bits: tuple[int, int],
    signed: tuple[bool, bool] = (True, True),
    stride: int,
    padding: int,
    input_size: tuple[int, int],
) -> Integers:
    """``dx[N,C,H,W]`` of ``e[N,K,P,Q]`` and ``w[K,C,R,S]`` of ``bits`` and signs (e, w)."""
    images, _, *size = e.shape
    filters, channels, *kernel = w.shape
    depth = channels * kernel[0] * kernel[1]
    # An input pixel meets each tap of each filter at most once.
    bound = filters * kernel[0] * kernel[1] * _product_bound(bits, signed)
    number = exact_arithmetic(bound)
    weights = np.ascontiguousarray(w.reshape(filters, depth).T.astype(number))
    dx = np.empty((images, channels, *input_size), np.int64)
    for group in groups(images, depth * size[0] * size[1]):
        matrix = channels_first(e[group], number).reshape(filters, -1)
        columns = (weights @ matrix).reshape(channels, *kernel, -1, *size)
        dx[group] = fold(columns, input_size, stride, padding).swapaxes(0, 1)
    return dx


def gradient(
    a: NDArray[np.integer],
    e: NDArray[np.integer],
    *,
    bits: tuple[int, int],
    signed: tuple[bool, bool] = (False, True),
    stride: int,
    padding: int,
    kernel_size: tuple[int, int],
) -> Integers:
    """``dw[K,C,R,S]`` of ``a[N,C,H,W]`` and ``e[N,K,P,Q]`` of ``bits`` and signs (a, e)."""
    images, filters, height, width = e.shape
    channels = a.shape[1]
    depth = channels * kernel_size[0] * kernel_size[1]
    image_bound = height * width * _product_bound(bits, signed)
    # Fewer images per group if that makes the sums of a group exact in float32.
    most = FLOAT32_BOUND // image_bound or images
    total = np.zeros((filters, depth), np.int64)
    for group in groups(images, depth * height * width, most):
        number = exact_arithmetic(image_bound * (group.stop - group.start))
        columns = unfold(a[group], kernel_size, (height, width), stride, padding, number)
        matrix = channels_first(e[group], number).reshape(filters, -1)
        total += (matrix @ columns.reshape(depth, -1).T).astype(np.int64)
    return total.reshape(filters, channels, *kernel_size)


def _product_bound(bits: tuple[int, int], signed: tuple[bool, bool]) -> int:
    return product_bound(*bits, x_signed=signed[0], y_signed=signed[1])
