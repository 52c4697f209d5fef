"""Axes: ticks up to the ends of the curves, and scales that show late differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fractrain.host.reports.step_log import Column

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST_TICKS, MOST_TICKS = 3, 8
LOW_ACCURACY = 70.0
"""In percent: what stays below does not need a scale up to 100."""

CROWDED, LETTER = 0.14, 0.042
"""Of the axis: how near to the last tick another may be, at least and by the letter."""


def ticks_to(
    axes: Axes, end: float, text: Callable[[float], str], *, ticks: int = 5, integer: bool = False
) -> None:
    """Round ticks on the x axis from 0, and one where the longest curve ends."""
    from matplotlib.ticker import MaxNLocator

    if end <= 0:
        return
    locator = MaxNLocator(ticks, integer=integer)
    free = 1 - max(CROWDED, LETTER * len(text(end)))
    round_ones = [float(tick) for tick in locator.tick_values(0, end) if 0 <= tick < free * end]
    places = [*round_ones, end]
    axes.set_xticks(places, [text(place) for place in places])


def step_ticks(axes: Axes, steps: int) -> None:
    """`ticks_to` for steps done."""
    ticks_to(axes, steps, lambda step: f"{step:,.0f}", ticks=4, integer=True)


def error_scale(axes: Axes, accuracies: Sequence[float], images: int) -> None:
    """Accuracy in percent, of so many ``images``, on a logarithmic scale of what is missing to
    100 %.

    Runs differ by tenths of a percent at the end and by tens at the beginning: both must be seen.
    """
    errors = [100 - each for each in accuracies]
    floor = 50 / images  # half an image: no error at all has a place, too

    def forward(accuracy: Column) -> Column:
        return -np.log(np.maximum(100 - accuracy, floor))

    def inverse(position: Column) -> Column:
        return 100 - np.exp(-position)

    low, high = max(min(errors), floor) / 1.25, min(max(max(errors), floor) * 1.1, 100)
    axes.set_yscale("function", functions=(forward, inverse))
    axes.set_ylim(100 - high, 100 - low)
    ticks = _accuracy_ticks(low, high)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def stretched(axes: Axes) -> None:
    """Accuracy in percent, stretched towards 100 % by a square root: single batches reach that,
    where a logarithm has no end."""

    def forward(accuracy: Column) -> Column:
        return -np.sqrt(np.maximum(100 - accuracy, 0))

    def inverse(position: Column) -> Column:
        return 100 - np.minimum(position, 0) ** 2

    low, high = axes.get_ylim()
    low, high = min(max(0.0, low), 99.0), 100.0 if high > LOW_ACCURACY else high
    axes.set_yscale("function", functions=(forward, inverse))
    axes.set_ylim(low, high)
    ticks = [tick for tick in (0, 20, 40, 60, 80, 90, 95, 98, 100) if low <= tick <= high]
    if len(ticks) < FEWEST_TICKS:
        ticks = [round(low + part * (high - low)) for part in (0.1, 0.5, 0.9)]
    axes.set_yticks(ticks, [f"{tick}" for tick in ticks])


def logarithmic(axes: Axes) -> None:
    """Late in training the losses are small and their differences matter still."""
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.minorticks_off()


def _accuracy_ticks(low: float, high: float) -> list[float]:
    """Round accuracies where ``low`` to ``high`` percent are missing to 100."""
    from matplotlib.ticker import MaxNLocator

    inside = [
        (digit, digit * 10.0**exponent)
        for exponent in range(-3, 3)
        for digit in range(1, 10)
        if low <= digit * 10.0**exponent <= high
    ]
    for digits in (range(1, 10), (1, 2, 3, 5, 7), (1, 2, 5), (1,)):
        chosen = [error for digit, error in inside if digit in digits]
        if len(chosen) <= MOST_TICKS:
            break
    if len(chosen) >= FEWEST_TICKS:
        return [round(100 - error, 6) for error in chosen]
    even = MaxNLocator(5).tick_values(100 - high, 100 - low)
    return [round(float(tick), 6) for tick in even if 100 - high <= tick <= 100 - low]
