"""Sums and products of matrices in float64 with a fixed order of additions.

NumPy's own sums, and the products of its BLAS, are added up in an order that depends on the
processor, the build, the layout in memory and the number of threads, so their last digits differ.
Here the order is part of the definition. The sum of n terms is

    S(x₀)              = x₀
    S(x₀, …, xₙ₋₁)     = S(y₀, …, y_h₋₁)   with h = ⌈n / 2⌉, yᵢ = xᵢ + xᵢ₊ₕ for i < n − h, else xᵢ

a tree of elementwise additions, each rounded on its own: an error of about log₂ n roundings. The
empty sum is 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Reals = NDArray[np.float64]

_AT_ONCE = 1 << 18
"""Products in memory together."""


def total(x: ArrayLike, axis: int = 0) -> Reals:
    """S over ``axis``, which disappears."""
    terms = np.asarray(x, np.float64)
    if axis:
        terms = np.moveaxis(terms, axis, 0)
    if not len(terms):
        return np.zeros(terms.shape[1:])
    return np.array(_fold(terms, len(terms)))


def mean(x: ArrayLike, axis: int = 0) -> Reals:
    """S over ``axis``, divided by its length."""
    given = np.asarray(x, np.float64)
    return total(given, axis) / given.shape[axis]


def dot(x: ArrayLike, y: ArrayLike) -> Reals:
    """S of the products of two vectors, a number."""
    return total(np.asarray(x, np.float64) * np.asarray(y, np.float64))


def matmul(x: ArrayLike, y: ArrayLike) -> Reals:
    """``x[I,K]`` times ``y[K,J]``: [I,J], each element S over k of x[i,k]·y[k,j]."""
    rows, columns = np.asarray(x, np.float64), np.asarray(y, np.float64)
    (count, depth), width = rows.shape, columns.shape[1]
    result = np.empty((count, width))
    together = max(1, _AT_ONCE // max(1, depth * width))
    for begin in range(0, count, together):
        part = slice(begin, begin + together)
        result[part] = total(rows[part].T[:, :, np.newaxis] * columns[:, np.newaxis, :])
    return result


def _fold(terms: Reals, count: int) -> Reals:
    """S of ``terms[0]`` .. ``terms[count − 1]``."""
    while count > 1:
        half = (count + 1) // 2
        folded = terms[:half].copy()
        folded[: count - half] += terms[half:count]
        terms, count = folded, half
    return terms[0]
