"""What the faster forms of a step share: sums of images as moments of chunks, shifts of either
sign, and what a tensor's integers reach."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.sim.golden.step.backward import ErrorMoments
from fractrain.sim.golden.step.chunks import sizes, starts
from fractrain.sim.golden.step.forward import Moments
from fractrain.sim.golden.step.rounding import LARGEST_SHIFT
from fractrain.sim.golden.step.scales import signed_levels

Sums = NDArray[np.int64]
"""Σ of each image and channel, [N,C]."""


def moments(totals: Sums, squares: Sums, pixels: int, chunk: int) -> Moments:
    """`forward.moments` from Σy and Σy² of images of ``pixels``."""
    count, total = _pixels(totals, pixels, chunk), sum_images(totals, chunk)
    unsigned = total.astype(np.uint64)
    square = sum_images(squares, chunk).astype(np.uint64)
    return Moments(count, total, count.astype(np.uint64) * square - unsigned * unsigned)


def error_moments(totals: Sums, products: Sums, pixels: int, chunk: int) -> ErrorMoments:
    """`backward.error_moments` from ΣE and ΣE·x̂ of images of ``pixels``."""
    count = _pixels(totals, pixels, chunk)
    return ErrorMoments(count, sum_images(totals, chunk), sum_images(products, chunk))


def sum_images(sums: Sums, chunk: int) -> Sums:
    """Σ over the images of each chunk, [chunks, C]."""
    return np.add.reduceat(sums, starts(len(sums), chunk), axis=0)


def _pixels(totals: Sums, pixels: int, chunk: int) -> NDArray[np.int64]:
    return sizes(len(totals), chunk)[:, None] * pixels


def both_ways(shift: int, bits: int) -> tuple[int, int, int]:
    """(most, left, right): what `rounding.scale_to` of ``bits`` does is to clip to ±most, to shift
    to the left, to round to the right, and to saturate. One of the shifts is 0."""
    left = min(max(-shift, 0), bits)
    most = 1 << max(bits - 1 - left, 0) if left else 1 << LARGEST_SHIFT
    return most, left, min(max(shift, 0), LARGEST_SHIFT)


def signed_range(bits: int) -> tuple[int, int]:
    """Least and greatest of weights and errors of ``bits`` bits (`scales.clip_levels`)."""
    levels = signed_levels(bits)
    return -levels, 0 if bits == 1 else levels


def signed_type(bits: int) -> type[np.signedinteger]:
    """The smallest type of NumPy's for signed integers of ``bits`` bits."""
    return np.int8 if bits <= 8 else np.int16 if bits <= 16 else np.int32


def unsigned_type(bits: int) -> type[np.unsignedinteger]:
    """The smallest type of NumPy's for unsigned integers of ``bits`` bits."""
    return np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32
