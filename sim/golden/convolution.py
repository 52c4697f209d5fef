"""The convolutions of `sim.golden.definition` as matrix products, fast enough to train with.

With the input unfolded into *columns* ``x[c·R·S + r·S + s, n·P·Q + p·Q + q]`` and the weights as
a matrix ``w[k, c·R·S + r·S + s]``,

    forward    y  = w · x
    error      dx = fold(wᵀ · e)         fold: sum what belongs to the same input pixel
    gradient   dw = e · xᵀ

Every product is exact, see `sim.golden.exact`: the arithmetic is chosen by the bound of the
whole sum, C·R·S terms forward and K·R·S at most in the error. The gradient sums over all images;
it is cut into groups of images whose sums fit in float32 where that is possible, and the groups
are added in int64.

Images are handled in groups, so that memory is bounded whatever the batch is; integers make the
grouping invisible in the result.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sim.golden.exact import FLOAT32_BOUND, Arithmetic, exact_arithmetic, product_bound

Integers = NDArray[np.int64]

COLUMN_ELEMENTS = 1 << 18
"""Elements of the columns made at a time, 1 MB of float32: as fast as any size from 2^17 to 2^20,
and small enough for the allocator to keep the memory (at 2^20 a quarter of the time was faults)."""


def forward(
    a: NDArray[np.integer],
    w: NDArray[np.integer],
    *,
    bits: tuple[int, int],
    stride: int,
    padding: int,
) -> Integers:
    """``y[N,K,P,Q]`` of unsigned ``a[N,C,H,W]`` and signed ``w[K,C,R,S]`` of ``bits`` (a, w).

    The caller vouches for values and shapes (`host.accelerator.Accelerator` checks them).
    """
    images, channels, height, width = a.shape
    filters, _, *kernel = w.shape
    depth = channels * kernel[0] * kernel[1]
    bound = depth * product_bound(*bits, x_signed=False, y_signed=True)
    number = exact_arithmetic(bound)
    size = (
        _windows(height, kernel[0], stride, padding),
        _windows(width, kernel[1], stride, padding),
    )
    weights = w.reshape(filters, depth).astype(number)
    y = np.empty((images, filters, *size), np.int64)
    for group in _groups(images, depth * size[0] * size[1]):
        columns = _unfold(a[group], (kernel[0], kernel[1]), size, stride, padding, number)
        product = weights @ columns.reshape(depth, -1)
        y[group] = product.reshape(filters, -1, *size).swapaxes(0, 1)
    return y


def error(
    e: NDArray[np.integer],
    w: NDArray[np.integer],
    *,
    bits: tuple[int, int],
    stride: int,
    padding: int,
    input_size: tuple[int, int],
) -> Integers:
    """``dx[N,C,H,W]`` of signed ``e[N,K,P,Q]`` and ``w[K,C,R,S]`` of ``bits`` (e, w)."""
    images, _, *size = e.shape
    filters, channels, *kernel = w.shape
    depth = channels * kernel[0] * kernel[1]
    # An input pixel meets each tap of each filter at most once.
    bound = filters * kernel[0] * kernel[1] * product_bound(*bits, x_signed=True, y_signed=True)
    number = exact_arithmetic(bound)
    weights = np.ascontiguousarray(w.reshape(filters, depth).T.astype(number))
    dx = np.empty((images, channels, *input_size), np.int64)
    for group in _groups(images, depth * size[0] * size[1]):
        matrix = _channels_first(e[group], number).reshape(filters, -1)
        columns = (weights @ matrix).reshape(channels, *kernel, -1, *size)
        dx[group] = _fold(columns, input_size, stride, padding).swapaxes(0, 1)
    return dx


def gradient(
    a: NDArray[np.integer],
    e: NDArray[np.integer],
    *,
    bits: tuple[int, int],
    stride: int,
    padding: int,
    kernel_size: tuple[int, int],
) -> Integers:
    """``dw[K,C,R,S]`` of unsigned ``a[N,C,H,W]`` and signed ``e[N,K,P,Q]`` of ``bits`` (a, e)."""
    images, filters, height, width = e.shape
    channels = a.shape[1]
    depth = channels * kernel_size[0] * kernel_size[1]
    image_bound = height * width * product_bound(*bits, x_signed=False, y_signed=True)
    # Fewer images per group if that makes the sums of a group exact in float32.
    most = FLOAT32_BOUND // image_bound or images
    total = np.zeros((filters, depth), np.int64)
    for group in _groups(images, depth * height * width, most):
        number = exact_arithmetic(image_bound * (group.stop - group.start))
        columns = _unfold(a[group], kernel_size, (height, width), stride, padding, number)
        matrix = _channels_first(e[group], number).reshape(filters, -1)
        total += (matrix @ columns.reshape(depth, -1).T).astype(np.int64)
    return total.reshape(filters, channels, *kernel_size)


def _windows(size: int, kernel: int, stride: int, padding: int) -> int:
    return (size + 2 * padding - kernel) // stride + 1


def _groups(images: int, elements: int, most: int | None = None) -> Iterator[slice]:
    """Slices of the batch: ``elements`` per image, at most ``most`` images each."""
    count = max(1, COLUMN_ELEMENTS // elements)
    if most is not None:
        count = min(count, most)
    for start in range(0, images, count):
        yield slice(start, min(start + count, images))


def _channels_first(x: NDArray[np.integer], number: Arithmetic) -> NDArray:
    """``[N,K,P,Q]`` integers as ``[K,N,P,Q]`` of type ``number``, contiguous."""
    return np.ascontiguousarray(x.swapaxes(0, 1), dtype=number)


def _unfold(
    a: NDArray[np.integer],
    kernel: tuple[int, int],
    size: tuple[int, int],
    stride: int,
    padding: int,
    number: Arithmetic,
) -> NDArray:
    """The columns ``[C,R,S,N,P,Q]`` of ``a[N,C,H,W]``: under each tap, the pixel it meets."""
    images, channels, height, width = a.shape
    padded = np.zeros((channels, images, height + 2 * padding, width + 2 * padding), number)
    padded[:, :, padding : padding + height, padding : padding + width] = a.swapaxes(0, 1)
    columns = np.empty((channels, *kernel, images, *size), number)
    for r in range(kernel[0]):
        for s in range(kernel[1]):
            columns[:, r, s] = padded[:, :, _tap(r, size[0], stride), _tap(s, size[1], stride)]
    return columns


def _fold(columns: NDArray, input_size: tuple[int, int], stride: int, padding: int) -> NDArray:
    """Transpose of `_unfold`: ``[C,R,S,N,P,Q]`` summed into ``[C,N,H,W]``."""
    channels, rows, taps, images, *size = columns.shape
    height, width = input_size
    padded = np.zeros((channels, images, height + 2 * padding, width + 2 * padding), columns.dtype)
    for r in range(rows):
        for s in range(taps):
            padded[:, :, _tap(r, size[0], stride), _tap(s, size[1], stride)] += columns[:, r, s]
    return padded[:, :, padding : padding + height, padding : padding + width]


def _tap(offset: int, count: int, stride: int) -> slice:
    """The padded rows (or columns) that tap ``offset`` meets, one for each of ``count`` outputs."""
    return slice(offset, offset + stride * (count - 1) + 1, stride)
