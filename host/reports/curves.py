"""Shortens long columns for drawing, without hiding extremes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.host.reports.step_log import Column

POINTS = 400
SMOOTHED_PART = 30


def smoothing_window(length: int) -> int:
    """Steps that one smoothed value is the mean of: a thirtieth of the run, odd."""
    return max(1, length // SMOOTHED_PART) | 1


def smoothed(values: Column, window: int) -> Column:
    """Means over ``window`` (odd) values around each, fewer at the ends; without the NaNs.

    NaN where all of them are.
    """
    known = ~np.isnan(values)
    half = window // 2

    def sums(column: Column) -> Column:
        total = np.concatenate(([0.0], np.cumsum(column)))
        index = np.arange(len(column))
        return total[np.minimum(index + half + 1, len(column))] - total[np.maximum(index - half, 0)]

    count = sums(known.astype(np.float64))
    total = sums(np.where(known, values, 0.0))
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


def thinned(length: int, points: int = POINTS) -> NDArray[np.int64]:
    """Indices of at most ``points`` values, evenly spread, first and last among them."""
    return np.unique(np.linspace(0, length - 1, min(points, length)).round().astype(np.int64))


def enveloped(values: Column, points: int = POINTS) -> NDArray[np.int64]:
    """Indices of at most ``points`` values between which all others lie: the least and the largest
    of every few neighbours, in their order. Without NaNs."""
    known = np.flatnonzero(~np.isnan(values))
    if len(known) <= points:
        return known
    chosen = []
    for few in np.array_split(known, points // 2):
        chosen += [few[np.argmin(values[few])], few[np.argmax(values[few])]]
    return np.unique(chosen)


def last_known(values: Column) -> int | None:
    """The index of the last value that is not NaN; None if all are."""
    known = np.flatnonzero(~np.isnan(values))
    return int(known[-1]) if len(known) else None


def outlined(values: Column) -> tuple[Column, NDArray[np.int64]]:
    """Values and the indices of those to draw, of a column that mostly stays as it is.

    A schedule keeps both sides of each of its jumps, so that steps stay steps; a column that jumps
    all the time is smoothed.
    """
    jumps = np.flatnonzero(np.diff(values) != 0)
    if len(jumps) > POINTS:
        return smoothed(values, smoothing_window(len(values))), thinned(len(values))
    return values, np.unique(np.concatenate((thinned(len(values)), jumps, jumps + 1)))


def binned(table: NDArray[np.float32], columns: int) -> tuple[NDArray[np.float32], int]:
    """(rows, m) to (rows, n) with n ≤ ``columns``: means over equally many neighbours (NaN-free).

    Also returns how many neighbours: the last column may be the mean of fewer.
    """
    rows, length = table.shape
    each = max(1, -(-length // columns))
    starts = np.arange(0, length, each)
    known = ~np.isnan(table)
    count = np.add.reduceat(known, starts, axis=1, dtype=np.float64)
    total = np.add.reduceat(np.where(known, table, 0), starts, axis=1, dtype=np.float64)
    means = np.full((rows, len(starts)), np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means.astype(np.float32), each
