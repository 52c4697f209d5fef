"""Test accuracy over what had been spent until then: MACs, time, energy; one line for each run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from host.reports.quantities import QUANTITIES, Quantity
from host.reports.run import Evaluation, Run
from host.reports.step_log import Column
from host.reports.svg import Picture, drawing, line_style, mark, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST_TICKS, MOST_TICKS = 3, 8


def accuracy_figures(runs: Sequence[Run]) -> list[Picture]:
    """One picture for each quantity that any evaluation of ``runs`` has."""
    recorded = {quantity for run in runs for each in run.evaluations for quantity in each.costs}
    return [_figure(runs, quantity) for quantity in QUANTITIES if quantity in recorded]


def _figure(runs: Sequence[Run], quantity: Quantity) -> Picture:
    lines = [[each for each in run.evaluations if quantity in each.costs] for run in runs]
    scale = quantity.scale(each.costs[quantity].value for line in lines for each in line)
    title = f"Test accuracy over {quantity.name}"
    with drawing() as (figure, axes):
        for number, line in enumerate(lines):
            if line:
                _draw(
                    axes, number, line, [each.costs[quantity].value / scale.factor for each in line]
                )
        unit = f", {scale.unit}" if scale.unit else ""
        axes.set_xlabel(f"{quantity.name}{unit} ({quantity.source.value})")
        axes.set_ylabel("test accuracy, % (measured)")
        axes.set_xlim(left=0)
        _error_scale(axes, [each for line in lines for each in line])
        svg = render(figure, f"accuracy-{quantity.identifier.replace('_', '-')}", title)
    absent = [run.name for run, line in zip(runs, lines, strict=True) if not line]
    caption = (
        f"Accuracy measured, {quantity.name} {quantity.source.value}. Dots: best evaluations. "
        "Vertical scale: logarithm of what is missing to 100 %."
    )
    missing = f" Not recorded by {', '.join(absent)}." if absent else ""
    return Picture(title, svg, caption + missing)


def _draw(axes: Axes, number: int, line: Sequence[Evaluation], x: Sequence[float]) -> None:
    colour, dashes = line_style(number)
    y = [each.test_accuracy for each in line]
    best = y.index(max(y))
    axes.plot(x, y, color=colour, linestyle=dashes)
    mark(axes, [x[best]], [y[best]], colour)


def _error_scale(axes: Axes, evaluations: Sequence[Evaluation]) -> None:
    """Accuracy on a logarithmic scale of what is missing to 100 %.

    Runs differ by tenths of a percent at the end and by tens at the beginning: both must be seen.
    """
    errors = [100 - each.test_accuracy for each in evaluations]
    images = max(each.test_images or 10_000 for each in evaluations)
    floor = 50 / images  # half an image: no error at all has a place, too

    def forward(accuracy: Column) -> Column:
        return -np.log(np.maximum(100 - accuracy, floor))

    def inverse(position: Column) -> Column:
        return 100 - np.exp(-position)

    low, high = max(min(errors), floor) / 1.25, min(max(max(errors), floor) * 1.1, 100)
    axes.set_yscale("function", functions=(forward, inverse))
    axes.set_ylim(100 - high, 100 - low)
    ticks = _ticks(low, high)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def _ticks(low: float, high: float) -> list[float]:
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
