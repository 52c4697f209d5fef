"""Results of a sweep: a table of all points, another over seeds, one JSON document."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fractrain.host.files.regular import read_object
from fractrain.host.reports.quantities import (
    EFFECTIVE_MACS,
    QUANTITIES,
    Costs,
    Quantity,
    Source,
    percent,
    read_costs,
)
from fractrain.host.reports.records import number
from fractrain.host.reports.sweep_page import Dot, Grid, best_dots
from fractrain.host.reports.units import MISSING
from fractrain.host.sweeps.job import Job, Outcome
from fractrain.host.sweeps.points import Point
from fractrain.host.training.run_directory import SUMMARY

SEED = "seed"

UNITS = {
    "test_accuracy": "percent of test_images, measured",
    "effective_macs": "multiply-accumulates of 32 x 32 bits (cost a/32 * w/32 each), computed",
    "modelled_seconds": "of the machine, from the cycle model",
    "modelled_joules": "of the machine, from the energy model",
    "measured_seconds": "of the accelerator: cycles that it counted, over its clock",
    "measured_joules": "on the board, of the rails that report power, host included",
    "saving": "fraction, 1 - value / the same steps with all operands at 8 bits",
}


@dataclass(frozen=True)
class Result:
    """A point and what is known of its run.

    state : finished, failed, unfinished or not begun
    message : why it failed
    summary : its summary.json, empty before it has finished
    """

    point: Point
    folder: Path
    state: str
    message: str
    steps_done: int
    summary: Mapping[str, Any]
    costs: Costs

    @property
    def accuracy(self) -> float | None:
        """Test accuracy at the end, in percent."""
        return number(self.summary, "test_accuracy", str(self.folder / SUMMARY))

    @property
    def saving(self) -> float | None:
        """Of effective MACs, as a fraction."""
        cost = self.costs.get(EFFECTIVE_MACS)
        return None if cost is None else cost.saving


def read_result(point: Point, job: Job, failure: Outcome | None) -> Result:
    """What the folder of ``job`` holds; `DataError` for a damaged summary."""
    path = job.folder / SUMMARY
    summary = read_object(path) if job.finished else {}
    state = "finished" if summary else "unfinished" if job.begun else "not begun"
    return Result(
        point=point,
        folder=job.folder,
        state="failed" if failure else state,
        message=failure.message if failure else "",
        steps_done=job.steps_done,
        summary=summary,
        costs=read_costs(summary, str(path), modelled="modelled"),
    )


def points_table(results: Sequence[Result]) -> Grid:
    """One row for each point: its settings, accuracy, costs, savings; its state if that differs."""
    settings = list(results[0].point.varied)
    columns: dict[str, list[str]] = {
        "#": [str(number) for number in range(1, len(results) + 1)],
        **{name: [result.point.varied[name] for result in results] for name in settings},
        "test accuracy": [_accuracy(result.accuracy) for result in results],
    }
    sources = {"test accuracy": Source.MEASURED}
    for each in _recorded(results):
        found = [result.costs.get(each) for result in results]
        saving = "saving" if each is EFFECTIVE_MACS else f"saving of {each.name}"
        columns[each.name] = each.texts(None if cost is None else cost.value for cost in found)
        columns[saving] = [MISSING if cost is None else percent(cost.saving) for cost in found]
        sources |= {each.name: each.source, saving: each.source}
    if any(result.state != "finished" for result in results):
        columns["state"] = [result.state for result in results]
    return Grid(
        "All runs",
        list(columns),
        list(zip(*columns.values(), strict=True)),
        [sources.get(name) for name in columns],
        [int(dot.label) - 1 for dot in best_dots(dots(results))],
    )


def dots(results: Sequence[Result]) -> list[Dot]:
    """Of the runs that have ended: the numbers of the table's rows, and a colour for each value of
    the first setting that varies."""
    first = next(iter(results[0].point.varied), None)
    return [
        Dot(
            label=str(number),
            group="" if first is None else f"{first} {result.point.varied[first]}",
            saving=result.saving,
            accuracy=result.accuracy,
            about=_settings(result),
            images=result.summary.get("test_images"),
        )
        for number, result in enumerate(results, 1)
        if result.saving is not None and result.accuracy is not None
    ]


def headline(results: Sequence[Result]) -> str:
    """The result of the sweep, in one sentence."""
    runs = f"{len(results)} run{'' if len(results) == 1 else 's'}"
    finished = [each for each in results if each.state == "finished"]
    found = best_dots(dots(results))
    if not found:
        return f"None of {runs} has finished yet."
    if len(finished) < len(results):
        runs = f"the {len(finished)} of {runs} that finished"
    most_accurate, thriftiest = found[0], found[-1]
    text = f"The most accurate of {runs}, {_run(most_accurate)}, reached "
    text += f"{most_accurate.accuracy:.2f} %"
    of = " of the effective MACs"
    if most_accurate.saving > 0:
        text, of = f"{text} and saved {percent(most_accurate.saving)}{of}", ""
    if thriftiest is most_accurate:
        return f"{text}; none saved more."
    return (
        f"{text}; {_run(thriftiest)} saved most, {percent(thriftiest.saving)}{of}, at "
        f"{thriftiest.accuracy:.2f} %."
    )


def _run(dot: Dot) -> str:
    return f"run {dot.label}" + (f" ({dot.about})" if dot.about else "")


def _settings(result: Result) -> str:
    return ", ".join(f"{name} {value}" for name, value in result.point.varied.items())


def seeds_table(results: Sequence[Result]) -> Grid | None:
    """Means over the runs that differ in nothing but their seed; None if there are none."""
    settings = [name for name in results[0].point.varied if name != SEED]
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        if result.accuracy is not None:
            key = tuple(result.point.varied[name] for name in settings)
            groups.setdefault(key, []).append(result)
    if SEED not in results[0].point.varied or all(len(each) < 2 for each in groups.values()):
        return None
    rows = [
        [
            *key,
            str(len(group)),
            _accuracy(statistics.fmean(each.accuracy or 0.0 for each in group)),
            _deviation([each.accuracy or 0.0 for each in group]),
            percent(_mean([each.saving for each in group])),
        ]
        for key, group in groups.items()
    ]
    heads = [*settings, "seeds", "mean test accuracy", "standard deviation", "mean saving"]
    sources = [*[None] * (len(settings) + 1), *[Source.MEASURED] * 2, Source.COMPUTED]
    return Grid("Over seeds", heads, rows, sources)


def remarks(results: Sequence[Result]) -> list[str]:
    """Caveats of comparing the rows."""
    found = []
    versions = {str(result.summary.get("versions")) for result in results if result.summary}
    if len(versions) > 1:
        found.append(
            f"The runs are of {len(versions)} different versions of this program, Python or NumPy."
        )
    images = {result.summary.get("test_images") for result in results if result.summary}
    if len(images) > 1:
        found.append("Accuracies are over different numbers of test images.")
    return found


def document(source: Path, results: Sequence[Result]) -> dict[str, Any]:
    """All of it, unrounded, as ``sweep.json`` holds it."""
    return {
        "sweep": str(source),
        "points": [_entry(result) for result in results],
        "remarks": remarks(results),
        "units": UNITS,
    }


def _entry(result: Result) -> dict[str, Any]:
    point = result.point
    return {
        "name": result.folder.name,
        "varied": dict(point.varied),
        "settings": dict(point.resolved.settings),
        "command": ["fractrain", "train", *point.resolved.arguments],
        "state": result.state,
        "error": result.message or None,
        "steps_done": result.steps_done,
        "steps": point.resolved.steps,
        "test_accuracy": result.accuracy,
        "test_images": result.summary.get("test_images"),
        "weights_sha256": result.summary.get("weights_sha256"),
        "costs": {
            each.identifier: {
                "value": result.costs[each].value,
                "fw8bw8": result.costs[each].baseline,
                "saving": result.costs[each].saving,
            }
            for each in QUANTITIES
            if each in result.costs
        },
    }


def _recorded(results: Sequence[Result]) -> list[Quantity]:
    """Effective MACs, and what else any run has recorded."""
    return [
        each
        for each in QUANTITIES
        if each is EFFECTIVE_MACS or any(each in result.costs for result in results)
    ]


def _accuracy(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f} %"


def _deviation(values: Sequence[float]) -> str:
    return MISSING if len(values) < 2 else f"{statistics.stdev(values):.2f}"


def _mean(values: Sequence[float | None]) -> float | None:
    given = [value for value in values if value is not None]
    return statistics.fmean(given) if given else None
