"""A comparison as one JSON document: all figures unrounded, each with its source in its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fractrain.host.reports.measured import COLUMNS, PASSES
from fractrain.host.reports.quantities import QUANTITIES, Costs, Quantity
from fractrain.host.reports.run import Evaluation, Run
from fractrain.host.reports.savings import EqualAccuracy, at_equal_accuracy, caveats
from fractrain.host.reports.settings import command_line, settings
from fractrain.host.reports.units import MISSING

UNITS = {
    "test_accuracy": "percent of test_images, measured",
    "effective_macs": "multiply-accumulates of 32 x 32 bits (cost a/32 * w/32 each), computed",
    "modelled_seconds": "of the machine, from the cycle model",
    "modelled_joules": "of the machine, from the energy model",
    "measured_seconds": "of the accelerator: cycles that it counted, over its clock",
    "measured_joules": "on the board, of the rails that report power, host included",
    "measured_steps": "means over the steps, wall clocks medians; cycles of the accelerator's "
    "clock, by pass; machine: what counted them, null where none ran",
    "fw8bw8": "the same steps with all operands at 8 bits",
    "saving": "fraction, 1 - value / fw8bw8; at equal accuracy 1 - value / that of the reference",
}


def comparison_document(runs: Sequence[Run]) -> dict[str, Any]:
    """Everything that the tables show."""
    return {
        "runs": [_run_entry(run) for run in runs],
        "at_equal_accuracy": [_equal_accuracy_entry(each) for each in at_equal_accuracy(runs)],
        "differences": {
            setting.name: {
                run.name: None if value == MISSING else value
                for run, value in zip(runs, setting.values, strict=True)
            }
            for setting in settings(runs)
            if setting.differs
        },
        "caveats": caveats(runs),
        "units": UNITS,
    }


def _run_entry(run: Run) -> dict[str, Any]:
    dataset, model = run.task
    return {
        "name": run.name,
        "path": str(run.path),
        "dataset": dataset,
        "model": model,
        "method": run.config.get("method"),
        "command": command_line(run),
        "ended": run.summary is not None,
        "steps_done": run.steps_done,
        "steps_planned": run.steps_planned,
        "best": _evaluation_entry(run.best),
        "last": _evaluation_entry(run.last),
        "at_equal_steps": {"step": run.totals_step, **_costs(run.totals)},
        "measured_steps": _measured_entry(run),
        "weights_sha256": None if run.summary is None else run.summary.get("weights_sha256"),
        "notes": run.notes,
    }


def _evaluation_entry(evaluation: Evaluation | None) -> dict[str, Any] | None:
    if evaluation is None:
        return None
    return {
        "step": evaluation.step,
        "test_accuracy": evaluation.test_accuracy,
        "test_images": evaluation.test_images,
    }


def _measured_entry(run: Run) -> dict[str, Any] | None:
    measured = run.measured
    if not len(measured) and measured.joules_per_step is None:
        return None
    clocks = ("wall_seconds", "machine_seconds")
    return {
        "machine": run.measuring_machine,
        "steps": len(measured),
        **{name: measured.median(name) for name in clocks},
        **{name: measured.mean(name) for name in COLUMNS if name not in clocks},
        "cycles_of_passes": {name: measured.mean_of_pass(name) for name in PASSES},
        "joules": measured.joules_per_step,
        "energy": dict(measured.energy),
    }


def _costs(costs: Costs) -> dict[str, Any]:
    return {
        quantity.identifier: {
            "value": costs[quantity].value,
            "fw8bw8": costs[quantity].baseline,
            "saving": costs[quantity].saving,
        }
        for quantity in QUANTITIES
        if quantity in costs
    }


def _equal_accuracy_entry(comparison: EqualAccuracy) -> dict[str, Any]:
    dataset, model = comparison.task
    reference = comparison.reference

    def entry(quantity: Quantity, reached: Any) -> dict[str, Any]:
        return {
            "value": reached.evaluation.costs[quantity].value,
            "saving": comparison.saving(reached, quantity),
        }

    return {
        "dataset": dataset,
        "model": model,
        "target": comparison.target,
        "reference": None if reference is None else reference.run.name,
        "runs": {
            each.run.name: {
                "step": each.evaluation.step,
                "test_accuracy": each.evaluation.test_accuracy,
                **{
                    quantity.identifier: entry(quantity, each)
                    for quantity in QUANTITIES
                    if quantity in each.evaluation.costs
                },
            }
            for each in comparison.entries
        },
    }
