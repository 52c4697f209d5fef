"""Chunks: the images of a mini-batch that share the statistics of batch norm."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


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
