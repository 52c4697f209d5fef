"""Convolutions as matrix products: unfolding, folding, groups.

With the input unfolded into *columns* ``x[c·R·S + r·S + s, n·P·Q + p·Q + q]`` and the weights as
a matrix ``w[k, c·R·S + r·S + s]``,

    forward    y  = w · x
    error      dx = fold(wᵀ · e)         fold: sum what belongs to the same input pixel
    gradient   dw = e · xᵀ

Images are handled in groups, which bounds the memory at any batch size.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Number = type[np.float32] | type[np.float64] | type[np.int64]

COLUMN_ELEMENTS = 1 << 18
"""Elements of the columns made at a time, 1 MB of float32: as fast as any size from 2^17 to 2^20,
and small enough for the allocator to keep the memory (at 2^20 a quarter of the time was faults)."""


def windows(size: int, kernel: int, stride: int, padding: int) -> int:
    return (size + 2 * padding - kernel) // stride + 1


def groups(images: int, elements: int, most: int | None = None) -> Iterator[slice]:
    """Slices of the batch: ``elements`` per image, at most ``most`` images each."""
    count = max(1, COLUMN_ELEMENTS // elements)
    if most is not None:
        count = min(count, most)
    for start in range(0, images, count):
        yield slice(start, min(start + count, images))


def channels_first(x: NDArray, number: Number) -> NDArray:
    """``[N,K,P,Q]`` integers as ``[K,N,P,Q]`` of type ``number``, contiguous."""
    return np.ascontiguousarray(x.swapaxes(0, 1), dtype=number)


def unfold(
    a: NDArray,
    kernel: tuple[int, int],
    size: tuple[int, int],
    stride: int,
    padding: int,
    number: Number,
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


def fold(columns: NDArray, input_size: tuple[int, int], stride: int, padding: int) -> NDArray:
    """Transpose of `unfold`: ``[C,R,S,N,P,Q]`` summed into ``[C,N,H,W]``."""
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
