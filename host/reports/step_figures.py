"""Training step by step, one line for each run: loss, accuracy of the batches, cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from host.reports.curves import outlined, smoothed, smoothing_window, thinned
from host.reports.run import Run
from host.reports.step_log import Column
from host.reports.svg import Picture, count_ticks, drawing, line_style, mark, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def step_figures(runs: Sequence[Run]) -> list[Picture]:
    """The three pictures of all ``runs`` together."""
    return [
        _smoothed_figure(runs, "loss", "Training loss", "loss"),
        _smoothed_figure(runs, "accuracy", "Training accuracy", "accuracy of batches, %", 100),
        _cost_figure(runs),
    ]


def _smoothed_figure(
    runs: Sequence[Run], column: str, title: str, label: str, factor: float = 1
) -> Picture:
    """A column of the logs, smoothed, with a dot where a stage begins."""
    lowest = math.inf
    with drawing() as (figure, axes):
        for number, run in enumerate(runs):
            values = factor * smoothed(run.log[column], smoothing_window(len(run.log)))
            if not np.isnan(values).all():
                lowest = min(lowest, float(np.nanmin(values)))
                _draw(axes, run, number, values)
        if column == "loss" and 0 < lowest < math.inf:
            _logarithmic(axes)
        axes.set(xlabel="step", ylabel=f"{label} (measured)")
        axes.margins(x=0.01)
        count_ticks(axes)
        svg = render(figure, f"steps-{column}", f"{title} over the steps")
    windows = sorted({smoothing_window(len(run.log)) for run in runs})
    means = "" if windows == [1] else f"; means over {' or '.join(map(str, windows))} steps"
    return Picture(title, svg, f"Measured{means}. Dots: a new stage begins.")


def _draw(axes: Axes, run: Run, number: int, values: Column) -> None:
    colour, dashes = line_style(number)
    chosen = thinned(len(values))
    axes.plot(run.log.step[chosen], values[chosen], color=colour, linestyle=dashes)
    starts = [start.step for start in run.log.stage_starts()[1:]]
    mark(axes, starts, list(values[np.searchsorted(run.log.step, starts)]), colour)


def _logarithmic(axes: Axes) -> None:
    """Late in training the losses are small and their differences matter still."""
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.minorticks_off()


def _cost_figure(runs: Sequence[Run]) -> Picture:
    """``cp`` of each step, and its target where the run has one."""
    title = "Cost of the residual blocks"
    targets = False
    with drawing() as (figure, axes):
        for number, run in enumerate(runs):
            colour, dashes = line_style(number)
            cost, target = run.log["cp"], run.log["target_cp"]
            if not np.isnan(cost).all():
                values, chosen = outlined(cost)
                axes.plot(run.log.step[chosen], values[chosen], color=colour, linestyle=dashes)
            if not np.isnan(target).all():
                targets = True
                values, chosen = outlined(target)
                axes.plot(run.log.step[chosen], values[chosen], ":", color=colour, linewidth=1)
        axes.set(xlabel="step", ylabel="cost, % of FP32 (computed)")
        axes.set_ylim(bottom=0)
        axes.margins(x=0.01)
        count_ticks(axes)
        svg = render(figure, "steps-cost", f"{title} over the steps")
    caption = "Computed from the bits of each step; all operands at 8 bits are 6.25 %."
    return Picture(title, svg, caption + (" Dotted: targets of the gates." if targets else ""))
