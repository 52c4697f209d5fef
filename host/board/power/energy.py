"""Power and energy of a rail from its samples."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Statistics", "energy", "statistics"]

Point = tuple[float, float]
"""Time in seconds and power in watts."""


@dataclass(frozen=True)
class Statistics:
    """Of the values of some samples: mean and standard deviation (n − 1), and how many."""

    mean: float
    deviation: float
    count: int


def statistics(values: Sequence[float]) -> Statistics | None:
    """None without any value; the deviation of a single one is 0."""
    if not values:
        return None
    mean = math.fsum(values) / len(values)
    squares = math.fsum((each - mean) ** 2 for each in values)
    return Statistics(mean, math.sqrt(squares / max(1, len(values) - 1)), len(values))


def energy(points: Sequence[Point], begin: float, end: float) -> float | None:
    """Joules between two times: the integral of power (trapezoidal rule), linear between samples
    and constant before the first and after the last.

    ``points`` are in order of time. Adjacent intervals add up. None without any sample.
    """
    if not points or end < begin:
        return None
    times = [time for time, _ in points]
    inside = points[bisect.bisect_right(times, begin) : bisect.bisect_left(times, end)]
    path = [(begin, _at(points, times, begin)), *inside, (end, _at(points, times, end))]
    return math.fsum(
        (later - earlier) * (first + second) / 2
        for (earlier, first), (later, second) in zip(path, path[1:], strict=False)
    )


def _at(points: Sequence[Point], times: Sequence[float], time: float) -> float:
    after = bisect.bisect_left(times, time)
    if after == 0:
        return points[0][1]
    if after == len(points):
        return points[-1][1]
    (before_time, before), (after_time, value) = points[after - 1], points[after]
    return before + (value - before) * (time - before_time) / (after_time - before_time)
