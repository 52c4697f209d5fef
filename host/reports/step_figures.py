"""Training step by step, one line for each run: loss, accuracy of the batches, cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fractrain.host.reports.axis_scales import logarithmic, step_ticks, stretched
from fractrain.host.reports.curves import (
    enveloped,
    last_known,
    outlined,
    smoothed,
    smoothing_window,
    thinned,
)
from fractrain.host.reports.end_labels import End, label_ends
from fractrain.host.reports.names import short_names
from fractrain.host.reports.run import Run
from fractrain.host.reports.step_log import Column
from fractrain.host.reports.svg import RAW_WIDTH, Picture, drawing, line_style, mark, render
from fractrain.host.reports.units import significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_RAW = 6
"""Most runs with single steps drawn behind their means: more would cover each other."""


def step_figures(runs: Sequence[Run]) -> list[Picture]:
    """The three pictures of all ``runs`` together; none before there is a step."""
    if not any(run.steps_done for run in runs):
        return []
    return [
        _smoothed_figure(runs, "loss", "Training loss", "loss"),
        _smoothed_figure(runs, "accuracy", "Training accuracy", "accuracy of batches, %", 100),
        _cost_figure(runs),
    ]


def _smoothed_figure(
    runs: Sequence[Run], column: str, title: str, label: str, factor: float = 1
) -> Picture:
    """A column of the logs, smoothed, its steps behind; with a dot where a stage begins."""
    means = [factor * smoothed(run.log[column], smoothing_window(len(run.log))) for run in runs]
    with drawing() as (figure, axes):
        for number, run in enumerate(runs):
            if not np.isnan(means[number]).all():
                if len(runs) <= MOST_RAW:
                    _draw_raw(axes, run, number, factor * run.log[column])
                _draw(axes, run, number, means[number])
        known = np.concatenate([each[~np.isnan(each)] for each in means])
        if column == "loss" and known.size and known.min() > 0:
            logarithmic(axes)
        elif column == "accuracy" and known.size:
            stretched(axes)
        axes.set(xlabel="step", ylabel=f"{label} (measured)")
        _step_axis(axes, runs)
        label_ends(figure, axes, _ends(runs, means, " %" if column == "accuracy" else ""))
        about = _description(title, runs, means)
        svg = render(figure, f"steps-{column}", about, _titles(runs, means))
    windows = sorted({smoothing_window(len(run.log)) for run in runs})
    caption = "Measured." if windows == [1] else f"Measured; means over {_either(windows)} steps"
    if windows != [1]:
        caption += ", single steps behind." if len(runs) <= MOST_RAW else "."
    if any(len(run.log.stage_starts()) > 1 for run in runs):
        caption += " Dots: a new stage begins."
    return Picture(title, svg, caption)


def _draw(axes: Axes, run: Run, number: int, values: Column) -> None:
    style = line_style(number)
    chosen = thinned(len(values))
    _plot(axes, number, run.log.step[chosen] + 1, values[chosen])
    starts = np.array([start.step for start in run.log.stage_starts()[1:]])
    if len(starts):
        mark(axes, starts + 1, values[np.searchsorted(run.log.step, starts)], style.colour)


def _draw_raw(axes: Axes, run: Run, number: int, values: Column) -> None:
    """Every step, or the range of neighbours where there are too many to draw."""
    chosen = enveloped(values)
    axes.plot(
        run.log.step[chosen] + 1,
        values[chosen],
        color=line_style(number).colour,
        linewidth=RAW_WIDTH,
        alpha=0.3,
        zorder=1.5,
    )


def _cost_figure(runs: Sequence[Run]) -> Picture:
    """``cp`` of each step, and its target where the run has one."""
    title = "Cost of the residual blocks"
    costs, chosen = zip(*(outlined(run.log["cp"]) for run in runs), strict=True)
    targets = [run.log["target_cp"] for run in runs]
    with drawing() as (figure, axes):
        for number, run in enumerate(runs):
            if last_known(costs[number]) is not None:
                steps = run.log.step[chosen[number]] + 1
                _plot(axes, number, steps, costs[number][chosen[number]])
            if last_known(targets[number]) is not None:
                target, where = outlined(targets[number])
                colour = line_style(number).colour
                steps = run.log.step[where] + 1
                axes.plot(steps, target[where], color=colour, linewidth=RAW_WIDTH)
        axes.set(xlabel="step", ylabel="cost, % of FP32 (computed)")
        axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
        _step_axis(axes, runs)
        label_ends(figure, axes, _ends(runs, costs, " %"))
        svg = render(figure, "steps-cost", _description(title, runs, costs), _titles(runs, costs))
    caption = "Computed from the bits of each step; all operands at 8 bits are 6.25 %."
    with_targets = any(last_known(each) is not None for each in targets)
    return Picture(title, svg, caption + (" Thin: targets of the gates." if with_targets else ""))


def _plot(axes: Axes, number: int, x: Column, y: Column) -> None:
    """The line of a run; a dot if it has one step only."""
    marker = "o" if len(y) == 1 else ""
    axes.plot(x, y, gid=f"line-{number}", marker=marker, **line_style(number).matplotlib)


def _step_axis(axes: Axes, runs: Sequence[Run]) -> None:
    longest = max(run.steps_done for run in runs)
    axes.set_xlim(0, 1.01 * max(longest, 1))
    step_ticks(axes, longest)


def _ends(runs: Sequence[Run], columns: Sequence[Column], unit: str = "") -> list[End]:
    """Where the lines end: named if there are several, with its last value if there is one."""
    ends = []
    for number, (run, label) in enumerate(
        zip(runs, short_names([run.name for run in runs]), strict=True)
    ):
        last = last_known(columns[number])
        if last is not None:
            y = float(columns[number][last])
            text = label if len(runs) > 1 else f"{significant(y)}{unit}"
            ends.append(End(text, float(run.log.step[last]) + 1, y, line_style(number).colour))
    return ends


def _titles(runs: Sequence[Run], columns: Sequence[Column]) -> dict[str, str]:
    return {
        f"line-{number}": run.name
        for number, run in enumerate(runs)
        if last_known(columns[number]) is not None
    }


def _description(title: str, runs: Sequence[Run], columns: Sequence[Column]) -> str:
    lasts = [
        f"{run.name} ends at {significant(float(column[last]))}"
        for run, column in zip(runs, columns, strict=True)
        if (last := last_known(column)) is not None
    ]
    return f"{title} over the steps: {'; '.join(lasts) or 'nothing recorded'}."


def _either(windows: Sequence[int]) -> str:
    return " or ".join(f"{each:,}" for each in windows)
