"""Runs as columns, figures as rows: the same tables for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fractrain.host.reports.quantities import (
    ALWAYS_SHOWN,
    Costs,
    Quantity,
    Source,
    percent,
    shown_quantities,
)
from fractrain.host.reports.run import Evaluation, Run
from fractrain.host.reports.savings import EqualAccuracy
from fractrain.host.reports.settings import settings
from fractrain.host.reports.units import MISSING


@dataclass(frozen=True)
class Row:
    """One figure of all runs.

    marked : a row to look at first: a saving, or a setting in which runs differ
    """

    name: str
    source: Source
    cells: Sequence[str]
    marked: bool = False


@dataclass(frozen=True)
class Table:
    """``heads``: the names of the runs, one for each cell of a row; ``subject``: what rows are."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Row]
    remarks: Sequence[str] = field(default_factory=list)
    subject: str = "figure"


def results_table(runs: Sequence[Run]) -> Table:
    """Accuracy, cost and saving of each run against its own steps at FW8/BW8."""

    def row(name: str, source: Source, cell: Callable[[Run], str]) -> Row:
        return Row(name, source, [cell(run) for run in runs])

    rows = [
        row("steps", Source.MEASURED, _steps),
        row("best test accuracy", Source.MEASURED, lambda run: _accuracy(run.best)),
        row("last test accuracy", Source.MEASURED, lambda run: _accuracy(run.last)),
        row("test images", Source.MEASURED, _images),
    ]
    costs = [run.totals for run in runs]
    for quantity in shown_quantities(costs):
        rows += _cost_rows(quantity, costs)
    rows.append(row("stages visited", Source.MEASURED, lambda run: str(len(_stages(run)))))
    remarks = [
        f"{run.name}: costs up to its last evaluation, after step {run.totals_step:,}."
        for run in runs
        if run.totals_step != run.steps_done
    ]
    return Table(
        "Against the same steps at FW8/BW8",
        [run.name for run in runs],
        rows,
        [*_machines(runs), *remarks],
    )


def equal_accuracy_table(comparison: EqualAccuracy) -> Table:
    """What each run had spent when it first was as accurate as the worst run's best."""
    entries = comparison.entries
    rows = [
        Row(
            "first reached after step",
            Source.MEASURED,
            [f"{entry.evaluation.step:,}" for entry in entries],
        ),
        Row(
            "test accuracy there", Source.MEASURED, [_accuracy(each.evaluation) for each in entries]
        ),
    ]
    costs = [entry.evaluation.costs for entry in entries]
    for quantity in shown_quantities(costs):
        rows.append(_value_row(quantity, costs))
        if comparison.reference is not None:
            savings = [percent(comparison.saving(entry, quantity)) for entry in entries]
            name = f"saving of {quantity.name}"
            if quantity in ALWAYS_SHOWN or any(each != MISSING for each in savings):
                rows.append(Row(name, quantity.source, savings, marked=True))
    dataset, model = comparison.task
    return Table(
        f"At equal accuracy: {comparison.target:.2f} % on {dataset}, {model}",
        [entry.run.name for entry in entries],
        rows,
        [_reference_remark(comparison)],
    )


def different_settings_table(runs: Sequence[Run]) -> Table:
    """One row for each setting in which the runs differ."""
    rows = [
        Row(each.name, Source.RECORDED, each.values, marked=True)
        for each in settings(runs)
        if each.differs
    ]
    heads = [run.name for run in runs]
    return Table("Settings in which the runs differ", heads, rows, subject="setting")


def shared_settings_table(runs: Sequence[Run]) -> Table:
    """The other settings; one cell does for all runs."""
    rows = [
        Row(each.name, Source.RECORDED, each.values[:1])
        for each in settings(runs)
        if not each.differs
    ]
    if len(runs) == 1:
        return Table("Settings", [runs[0].name], rows, subject="setting")
    return Table("Settings that the runs share", ["all runs"], rows, subject="setting")


def _machines(runs: Sequence[Run]) -> list[str]:
    """What modelled time and energy are modelled of."""
    found = {run.name: run.modelled_machine for run in runs if run.modelled_machine}
    if not found:
        return []
    machines = sorted(set(found.values()))
    if len(machines) == 1:
        return [f"Time and energy are modelled for {machines[0]}."]
    each = "; ".join(f"{name}: {machine}" for name, machine in found.items())
    return [f"Time and energy are modelled for different machines: {each}."]


def _reference_remark(comparison: EqualAccuracy) -> str:
    rule = (
        "Each run up to its first evaluation at or above the lowest of the runs' best test "
        "accuracies; "
    )
    if comparison.reference is None:
        return rule + "no savings: none of these runs is static at 8/8/8 bits."
    return rule + f"savings against {comparison.reference.run.name}, static at 8/8/8 bits."


def _cost_rows(quantity: Quantity, costs: Sequence[Costs]) -> list[Row]:
    """The cost, the same steps at 8 bits, and the saving, where any run knows them."""
    found = [each.get(quantity) for each in costs]
    values = [None if cost is None else cost.value for cost in found]
    baselines = [None if cost is None else cost.baseline for cost in found]
    scale = quantity.units.scale([*values, *baselines])
    row = Row(quantity.name, quantity.source, [scale.text(value) for value in values])
    if quantity.source is Source.MEASURED and not any(baselines):
        return [row]  # the same steps at 8 bits have not been run
    savings = [MISSING if cost is None else percent(cost.saving) for cost in found]
    eight = [scale.text(value) for value in baselines]
    return [
        row,
        Row(f"{quantity.name} at FW8/BW8", quantity.source, eight),
        Row(f"saving of {quantity.name}", quantity.source, savings, marked=True),
    ]


def _value_row(quantity: Quantity, costs: Sequence[Costs]) -> Row:
    found = [each.get(quantity) for each in costs]
    texts = quantity.texts(None if cost is None else cost.value for cost in found)
    return Row(quantity.name, quantity.source, texts)


def _steps(run: Run) -> str:
    planned = run.steps_planned
    of = "" if planned is None else f" of {planned:,}"
    return f"{run.steps_done:,}{of}"


def _accuracy(evaluation: Evaluation | None) -> str:
    return MISSING if evaluation is None else f"{evaluation.test_accuracy:.2f} %"


def _images(run: Run) -> str:
    images = None if run.last is None else run.last.test_images
    return MISSING if images is None else f"{images:,}"


def _stages(run: Run) -> set[int]:
    return {start.stage for start in run.log.stage_starts()}
