"""Chunks: the images of a mini-batch that share the statistics of batch norm."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK_ROWS = 256
"""A default chunk is so many rows of pixels: 8 images of 32 rows."""


def default_chunk(side: int) -> int:
    """Images of a chunk for pictures of ``side`` pixels: max(1, 256 / side), rounded down to a
    power of two."""
    return 1 << (max(1, CHUNK_ROWS // side).bit_length() - 1)


def starts(images: int, chunk: int) -> list[int]:
    """The first image of each chunk; the last chunk may be short."""
    return list(range(0, images, chunk))


def sizes(images: int, chunk: int) -> NDArray[np.int64]:
    """Images of each chunk."""
    return np.array([min(chunk, images - start) for start in starts(images, chunk)], np.int64)


def sum_chunks(x: Any, chunk: int) -> NDArray[np.int64]:
    """Σ of integers ``x[N,C,H,W]`` over the pixels of each chunk, [chunks, C]."""
    images = np.asarray(x, np.int64).sum(axis=(2, 3))
    return np.add.reduceat(images, starts(len(images), chunk), axis=0)


def spread(values: Any, chunk: int, images: int) -> Any:
    """``values[chunks, C]`` at each image, [N,C,1,1]."""
    return values[np.arange(images) // chunk][:, :, None, None]
