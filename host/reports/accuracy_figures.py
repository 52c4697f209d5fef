"""Test accuracy over cost so far: MACs, time, energy; one line for each run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fractrain.host.reports.axis_scales import error_scale, ticks_to
from fractrain.host.reports.end_labels import End, label_ends
from fractrain.host.reports.names import short_names
from fractrain.host.reports.quantities import QUANTITIES, Quantity
from fractrain.host.reports.run import Evaluation, Run
from fractrain.host.reports.svg import (
    PAPER,
    SMALL,
    WIDE,
    Picture,
    drawing,
    line_style,
    mark,
    render,
)
from fractrain.host.reports.units import Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Line = Sequence[Evaluation]

MOST_DOTS = 60
"""Evaluations of a run that get a dot with a tooltip each."""


def accuracy_figures(runs: Sequence[Run]) -> dict[str, Picture]:
    """By the name of its quantity: a picture for each that any evaluation of ``runs`` has."""
    recorded = {quantity for run in runs for each in run.evaluations for quantity in each.costs}
    return {
        quantity.name: _picture(runs, quantity) for quantity in QUANTITIES if quantity in recorded
    }


def _picture(runs: Sequence[Run], quantity: Quantity) -> Picture:
    """Drawn twice, for wide screens and for phones."""
    lines = [[each for each in run.evaluations if quantity in each.costs] for run in runs]
    absent = [run.name for run, line in zip(runs, lines, strict=True) if not line]
    caption = (
        f"Accuracy measured, {quantity.name} {quantity.source.value}. Dots: evaluations, the large "
        "ones the best. Vertical scale: logarithm of what is missing to 100 %."
    )
    missing = f" Not recorded by {', '.join(absent)}." if absent else ""
    return Picture(
        f"Test accuracy over {quantity.name}",
        _figure(runs, lines, quantity, WIDE),
        caption + missing,
        _figure(runs, lines, quantity, SMALL),
    )


def _figure(
    runs: Sequence[Run], lines: Sequence[Line], quantity: Quantity, size: tuple[float, float]
) -> str:
    every = [each for line in lines for each in line]
    unit = quantity.units.scale(each.costs[quantity].value for each in every).unit
    wide = size == WIDE
    tooltips: dict[str, Sequence[str]] = {}
    ends = []
    with drawing(size) as (figure, axes):
        labels = short_names([run.name for run in runs])
        for number, (run, line, label) in enumerate(zip(runs, lines, labels, strict=True)):
            if line:
                x = [each.costs[quantity].value / unit.factor for each in line]
                tooltips |= _draw(axes, number, run, line, x, quantity)
                value = f"{line[-1].test_accuracy:.2f} %"
                named = f"{label} {value}" if wide else label
                ends.append(
                    End(
                        named if len(runs) > 1 else value,
                        x[-1],
                        line[-1].test_accuracy,
                        line_style(number).colour,
                    )
                )
        axes.set_xlabel(f"{quantity.name} ({quantity.source.value})")
        axes.set_ylabel("test accuracy, % (measured)")
        images = max(each.test_images or 10_000 for each in every)
        error_scale(axes, [each.test_accuracy for each in every], images)
        _cost_axis(axes, max(each.costs[quantity].value for each in every), unit, wide=wide)
        label_ends(figure, axes, ends)
        name = f"accuracy-{quantity.identifier.replace('_', '-')}{'' if wide else '-small'}"
        return render(figure, name, _description(runs, lines, quantity), tooltips)


def _draw(
    axes: Axes, number: int, run: Run, line: Line, x: Sequence[float], quantity: Quantity
) -> dict[str, Sequence[str]]:
    """The line of a run with its dots; the texts of these."""
    style = line_style(number)
    y = [each.test_accuracy for each in line]
    best = y.index(max(y))
    axes.plot(x, y, **style.matplotlib)
    shown = set(range(len(line))) if len(line) <= MOST_DOTS else {0, len(line) - 1}
    small = sorted(shown - {best})
    tooltips: dict[str, Sequence[str]] = {}
    for kind, chosen, size in (("dots", small, 5.5), ("best", [best], 8.5)):
        if chosen:
            gid = f"{kind}-{number}"
            places = [x[each] for each in chosen], [y[each] for each in chosen]
            mark(axes, *places, style.colour, markersize=size, markeredgecolor=PAPER, gid=gid)
            tooltips[gid] = [_tooltip(run, line[each], quantity) for each in chosen]
    return tooltips


def _tooltip(run: Run, evaluation: Evaluation, quantity: Quantity) -> str:
    return (
        f"{run.name}: {evaluation.test_accuracy:.2f} % after step {evaluation.step:,}, "
        f"{quantity.name} {quantity.text(evaluation.costs[quantity].value)}"
    )


def _cost_axis(axes: Axes, largest: float, unit: Unit, *, wide: bool) -> None:
    """From nothing to the end of the longest line, in ``unit``."""
    if not largest > 0:
        return
    end = largest / unit.factor
    axes.set_xlim(0, 1.01 * end)

    def text(value: float) -> str:
        if value == end:
            return unit.text(largest)
        return f"{value:,g} {unit.name}".strip() if value else "0"

    ticks_to(axes, end, text, ticks=6 if wide else 4)


def _description(runs: Sequence[Run], lines: Sequence[Line], quantity: Quantity) -> str:
    ends = "; ".join(
        f"{run.name} ends at {line[-1].test_accuracy:.2f} % with "
        f"{quantity.text(line[-1].costs[quantity].value)}"
        for run, line in zip(runs, lines, strict=True)
        if line
    )
    return f"Test accuracy over {quantity.name}: {ends}."
