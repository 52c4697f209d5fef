"""``log.jsonl`` as columns, with a row for each training step."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.reports.records import Record, needed_number, number, read_lines
from fractrain.hw.contract.errors import DataError

Column = NDArray[np.float64]

OPTIONAL = (
    *("epoch", "loss", "accuracy", "learning_rate", "stage", "cp", "target_cp"),
    *("effective_macs", "effective_macs_fw8bw8", "cycles", "cycles_fw8bw8"),
    *("joules", "joules_fw8bw8"),
)


@dataclass(frozen=True)
class StageStart:
    """Where a stage of the schedule begins; ``bits``: means over the blocks of its first step."""

    stage: int
    step: int
    epoch: int | None
    bits: tuple[float, float, float] | None
    target_cp: float | None


@dataclass(frozen=True)
class StepLog:
    """Columns, one row per step in ascending order; NaN where a line had no value.

    bits : (steps, blocks, 3): of activations, weights, errors; 0, 0, 0 is a skipped block
    """

    columns: Mapping[str, Column]
    bits: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.step)

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    @property
    def step(self) -> Column:
        return self.columns["step"]

    @property
    def steps_done(self) -> int:
        """Steps counted from the beginning of the run."""
        return int(self.step[-1]) + 1 if len(self) else 0

    @property
    def complete(self) -> bool:
        """Every step from 0 is there, so that sums over the log are sums over the run."""
        return len(self) == self.steps_done

    def total(self, name: str) -> float | None:
        """The sum of a column; None if a step lacks it."""
        column = self.columns[name]
        if not len(column) or not self.complete or np.isnan(column).any():
            return None
        return float(column.sum())

    @property
    def block_costs(self) -> NDArray[np.float32]:
        """(steps, blocks): percent of FP32, ``(a·w + e·w + a·e) / (3 · 1024)``."""
        activation, weight, error = np.moveaxis(self.bits, -1, 0)
        products = activation * weight + error * weight + activation * error
        return products * np.float32(100 / (3 * 1024))

    def stage_starts(self) -> list[StageStart]:
        """The first step of every stage, in the order of the run."""
        stage = self["stage"]
        known = np.flatnonzero(~np.isnan(stage))
        changes = known[np.flatnonzero(np.diff(stage[known], prepend=np.nan))]
        return [self._stage_start(int(row)) for row in changes]

    def _stage_start(self, row: int) -> StageStart:
        epoch, target = self["epoch"][row], self["target_cp"][row]
        bits = self.bits[row]
        means = bits.mean(axis=0, dtype=np.float64) if bits.size else np.full(3, np.nan)
        return StageStart(
            stage=int(self["stage"][row]),
            step=int(self.step[row]),
            epoch=None if np.isnan(epoch) else int(epoch),
            bits=None if np.isnan(means).any() else tuple(float(each) for each in means),  # type: ignore[arg-type]
            target_cp=None if np.isnan(target) else float(target),
        )


def read_step_log(path: Path, blocks: int, notes: list[str]) -> StepLog:
    """Read ``path``; ``blocks`` is how many residual blocks each line has bits of.

    With 0 the bits are left unread.
    """
    columns = {name: array("d") for name in ("step", *OPTIONAL)}
    bits = array("f")
    for where, record in read_lines(path, notes):
        columns["step"].append(needed_number(record, "step", where))
        for name in OPTIONAL:
            value = number(record, name, where)
            columns[name].append(np.nan if value is None else value)
        bits.extend(_bits(record, blocks, where))
    arrays = {name: np.array(column, dtype=np.float64) for name, column in columns.items()}
    table = np.array(bits, dtype=np.float32).reshape(len(arrays["step"]), blocks, 3)
    kept = _last_of_each_step(arrays["step"])
    if dropped := len(kept) - int(kept.sum()):
        notes.append(f"{path.name}: {dropped} steps were done again later; the later ones count")
    log = StepLog({name: column[kept] for name, column in arrays.items()}, table[kept])
    if not log.complete:
        missing = log.steps_done - len(log)
        notes.append(f"{path.name}: {missing} of {log.steps_done} steps are missing")
    return log


def _last_of_each_step(step: Column) -> NDArray[np.bool_]:
    """False for rows that a run which went on from an older state did once more."""
    later = np.append(np.minimum.accumulate(step[::-1])[::-1][1:], np.inf)
    return step < later[: len(step)]


def _bits(record: Record, blocks: int, where: str) -> Sequence[float]:
    rows: Any = record.get("bits")
    if rows is None or not blocks:
        return [np.nan] * (3 * blocks)
    try:
        if len(rows) != blocks:
            raise DataError(f"{where}: bits of {len(rows)} blocks, config.json names {blocks}")
        flat = [float(value) for a, w, e in rows for value in (a, w, e)]
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: bits is not a list of [a, w, e] numbers") from error
    return flat
