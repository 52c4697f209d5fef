"""Measurements of a run: ``measured.jsonl``, ``power.jsonl``, and the summary.

The machine's counters cover its programs, the convolutions. The wall clock of a step covers host
and machine; measured energy covers the rails that report power over that time. Modelled time and
energy cover the convolutions alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fractrain.host.reports.quantities import MEASURED_ENERGY, MEASURED_TIME, Cost, Quantity
from fractrain.host.reports.records import Record, mapping, needed_number, number, read_lines
from fractrain.host.reports.step_log import Column
from fractrain.hw.contract.errors import DataError

MEASURED, POWER = "measured.jsonl", "power.jsonl"

STALLS = ("operand", "result", "memory", "token")
COLUMNS = (
    *("wall_seconds", "machine_seconds", "seconds", "cycles", "busy_cycles"),
    *("bytes_in", "bytes_out", *(f"stall_{name}" for name in STALLS)),
)
PASSES = ("forward", "error", "gradient", "other")


@dataclass(frozen=True)
class Measured:
    """Columns, one row for each measured step in ascending order; NaN where a line had no value.

    ``passes``: cycles by pass. ``joules``: of each step that power was sampled in, by its number,
    over the rails that report power; ``energy``: what the summary says of them.
    """

    step: Column = field(default_factory=lambda: np.zeros(0))
    columns: Mapping[str, Column] = field(default_factory=dict)
    passes: Mapping[str, Column] = field(default_factory=dict)
    joules: Mapping[int, float] = field(default_factory=dict)
    energy: Record = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.step)

    def mean(self, name: str) -> float | None:
        """Of a column over the steps that have it."""
        return _mean(self.columns.get(name))

    def median(self, name: str) -> float | None:
        """As `mean`: what a step takes where the first one compiles what all others use."""
        known = _known(self.columns.get(name))
        return float(np.median(known)) if len(known) else None

    def mean_of_pass(self, name: str) -> float | None:
        """Cycles of a pass in a step."""
        return _mean(self.passes.get(name))

    @property
    def joules_per_step(self) -> float | None:
        """From the summary, or while there is none from the steps so far."""
        if self.energy:
            return number(self.energy, "joules_per_step", POWER)
        return sum(self.joules.values()) / len(self.joules) if self.joules else None

    def costs_at(self, steps: int) -> dict[Quantity, Cost]:
        """What the first ``steps`` steps took; nothing of which a step is missing."""
        costs = {}
        first = self.step < steps
        seconds = self.columns.get("seconds", np.zeros(0))[first]
        if steps and len(seconds) == steps and not np.isnan(seconds).any():
            costs[MEASURED_TIME] = Cost(float(seconds.sum()), None)
        if steps and all(step in self.joules for step in range(steps)):
            costs[MEASURED_ENERGY] = Cost(sum(self.joules[step] for step in range(steps)), None)
        return costs


def read_measured(folder: Path, summary: Record | None, notes: list[str]) -> Measured:
    """What the run in ``folder`` measured; an empty `Measured` if it has no such files."""
    energy = mapping(summary or {}, "measured_energy", str(folder / "summary.json"))
    joules = _read_power(folder / POWER, notes) if (folder / POWER).is_file() else {}
    if not (folder / MEASURED).is_file():
        return Measured(joules=joules, energy=energy)
    rows: dict[int, tuple[list[float], list[float]]] = {}
    for where, record in read_lines(folder / MEASURED, notes):
        step = int(needed_number(record, "step", where))
        cycles = mapping(record, "passes", where)
        rows[step] = (
            [_value(record, name, where) for name in COLUMNS],
            [_value(mapping(cycles, name, where), "cycles", where) for name in PASSES],
        )
    steps = sorted(rows)
    table = np.array([rows[step][0] for step in steps]).reshape(len(steps), len(COLUMNS))
    passes = np.array([rows[step][1] for step in steps]).reshape(len(steps), len(PASSES))
    return Measured(
        np.array(steps, np.float64),
        dict(zip(COLUMNS, table.T, strict=True)),
        dict(zip(PASSES, passes.T, strict=True)),
        joules,
        energy,
    )


def _rails(record: Record, where: str) -> list[dict[str, Any]]:
    """Of a part of the power log."""
    rails = record.get("rails") or []
    if not isinstance(rails, list) or not all(isinstance(each, dict) for each in rails):
        raise DataError(f"{where}: rails is {rails!r}, not a list of objects")
    return rails


def _read_power(path: Path, notes: list[str]) -> dict[int, float]:
    """Joules of each step over the rails that are no inputs; the last line of a step counts."""
    found: dict[int, float] = {}
    inputs: set[str] = set()
    for where, record in read_lines(path, notes):
        if record.get("kind") == "part":
            inputs = {str(rail.get("name")) for rail in _rails(record, where) if rail.get("input")}
        elif record.get("kind") == "step":
            joules = mapping(record, "joules", where)
            known = [number(joules, name, where) for name in joules if name not in inputs]
            step = int(needed_number(record, "step", where))
            found.pop(step, None)
            values = [each for each in known if each is not None]
            if values and len(values) == len(known):
                found[step] = sum(values)
    return found


def _value(record: Record, name: str, where: str) -> float:
    value = number(record, name, where)
    return np.nan if value is None else value


def _mean(column: Column | None) -> float | None:
    known = _known(column)
    return float(np.mean(known)) if len(known) else None


def _known(column: Column | None) -> Column:
    return np.zeros(0) if column is None else column[~np.isnan(column)]
