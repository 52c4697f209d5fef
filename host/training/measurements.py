"""What a run measures while it trains: the machine's counters and the wall clock, step by step.

    measured.jsonl   one line for each step
    programs.jsonl   one line for each program that the machine ran, on demand

They are kept apart from log.jsonl, because no two runs measure the same: a log is compared byte for
byte between a run that was interrupted and one that was not, a wall clock cannot be.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from fractrain.host.accelerator import Accelerator
from fractrain.host.files.journal import EMPTY, Journal, Mark, put_aside
from fractrain.host.machine.counters import Counters
from fractrain.host.machine.work import MachineWork, ProgramRun
from fractrain.host.training.run_directory import MEASURED, PROGRAMS
from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.errors import ParameterError

COUNTERS = tuple(each.name for each in dataclasses.fields(Counters))

UNITS = {
    "wall_seconds": "of the step from its batch to its update, host and machine together; of a "
    "program: packing its operands, running it, reading its results",
    "cycles": "of the machine's clock, counted by the machine; seconds are cycles / clock_hz",
    "passes": "the same counters by pass; other: the command stream, and cycles without a command "
    "for the array",
    "machine_seconds": "wall clock from starts of programs to their ends; absent in simulation",
}
"""Of the fields of both files; a step without ``cycles`` ran on no machine."""


class Measurements:
    """What is measured of the run in the folder ``path``, on ``accelerator``, written down.

    The clock runs from `start` to `stop`; `append` then writes the line, so that what is between a
    step's end and the next one's beginning (logs, checkpoints, evaluations) is no part of either.
    ``log_programs``: or if the folder has such a log already, because the run was begun so.

    Raises `ParameterError` for ``log_programs`` on a backend that runs no programs.
    """

    def __init__(self, path: Path, accelerator: Accelerator, *, log_programs: bool = False) -> None:
        if log_programs and accelerator.measured_as is None:
            raise ParameterError(
                "--log-programs", True, "with a backend that runs a machine: cosim or board"
            )
        self._accelerator = accelerator
        self._steps, self._programs = Journal(path / MEASURED), Journal(path / PROGRAMS)
        self._log_programs = log_programs
        self._pending: list[dict[str, Any]] = []
        self._begun = self._ended = self._now()
        if log_programs:
            accelerator.program_observer = self._observe

    @property
    def journals(self) -> tuple[Journal, ...]:
        """The files."""
        return self._steps, self._programs

    def resume(self, marks: Mapping[str, Mark], note: Callable[[str], None]) -> None:
        """Forget what was measured after ``marks``, by name of file: it is done again.

        No result depends on these files, so one that is damaged is put aside, and ``note`` told.
        """
        for journal in self.journals:
            mark = marks.get(journal.path.name, EMPTY)
            if damage := journal.damage(mark):
                put_aside(journal, damage, note)
            else:
                journal.cut(mark)
        if len(self._programs) and self._accelerator.measured_as is not None:
            self._log_programs = True
            self._accelerator.program_observer = self._observe

    def start(self) -> None:
        """A step begins now."""
        self._begun = self._now()

    def stop(self) -> None:
        """It ends now."""
        self._ended = self._now()

    def _now(self) -> tuple[float, MachineWork | None]:
        """The time, and what a machine that counts cycles has done."""
        accelerator = self._accelerator
        return time.perf_counter(), accelerator.work if accelerator.measured_as else None

    def append(self, step: int) -> None:
        """Write the line of ``step``, from `start` to `stop`, and those of its programs."""
        (began, before), (ended, after) = self._begun, self._ended
        entry: dict[str, Any] = {"step": step, "wall_seconds": round(ended - began, 6)}
        if before is not None and after is not None:
            entry |= _work(after - before, self._accelerator.clock_hz)
        self._steps.append(entry)
        self._append_programs(step, "training")

    def evaluated(self, step: int) -> None:
        """Write the lines of the programs of an evaluation after ``step`` steps."""
        self._append_programs(step, "evaluation")

    def close(self) -> None:
        """Release the files."""
        for journal in self.journals:
            journal.close()
        if self._log_programs:
            self._accelerator.program_observer = None

    def summary(self, config: str) -> dict[str, Any] | None:
        """The steps together, over all parts of the run; None if no machine ran.

        ``config`` is the name of its configuration. Without wall clocks of the host, so that
        runs that did the same say the same in simulation.
        """
        accelerator = self._accelerator
        entries = [entry for entry in self._steps.read() if "cycles" in entry]
        if accelerator.measured_as is None or not entries:
            return None
        work = sum(map(_read_work, entries), start=MachineWork())
        return {
            "of": accelerator.measured_as,
            "config": config,
            "clock_hz": accelerator.clock_hz,
            "steps": len(entries),
            **_work(work, accelerator.clock_hz),
        }

    # -- programs --------------------------------------------------------------------------

    def _observe(self, run: ProgramRun) -> None:
        """Kept until its step is done: a step that is not leaves nothing."""
        self._pending.append(_program(run, self._accelerator.clock_hz))

    def _append_programs(self, step: int, phase: str) -> None:
        for number, entry in enumerate(self._pending):
            self._programs.append({"step": step, "phase": phase, "program": number, **entry})
        self._pending.clear()


def _work(work: MachineWork, clock_hz: float) -> dict[str, Any]:
    total = work.total
    entry = {
        "programs": work.programs,
        **dataclasses.asdict(total),
        "seconds": total.cycles / clock_hz,
        "passes": {
            tag.name.lower(): dataclasses.asdict(counters) for tag, counters in work.passes.items()
        },
    }
    if work.seconds:
        entry["machine_seconds"] = round(work.seconds, 6)
    return entry


def _read_work(entry: dict[str, Any]) -> MachineWork:
    passes = {Tag[name.upper()]: _only(COUNTERS, each) for name, each in entry["passes"].items()}
    return MachineWork(
        {tag: Counters(**each) for tag, each in passes.items()},
        entry["programs"],
        entry.get("machine_seconds", 0.0),
    )


def _only(names: Iterable[str], entry: dict[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in names}


def _program(run: ProgramRun, clock_hz: float) -> dict[str, Any]:
    work = _work(run.work, clock_hz)
    del work["programs"], work["passes"]
    return {
        "convolutions": [
            {
                "pass": step.pass_.label,
                "images": step.geometry.images,
                "channels": step.geometry.channels,
                "filters": step.geometry.filters,
                "size": step.geometry.size,
                "kernel": step.geometry.kernel,
                "stride": step.geometry.stride,
                "padding": step.geometry.padding,
                "bits": [
                    run.precisions[step.slot].bits(each)
                    for each in (step.pass_.row, step.pass_.column)
                ],
                "stored_bits": step.stored_bits,
                "signed": step.signed,
                "operands": [step.row, step.column],
            }
            for step in run.program.steps
        ],
        "commands": len(run.program.commands),
        **work,
        "wall_seconds": {
            "pack": round(run.pack_seconds, 6),
            "run": round(run.run_seconds, 6),
            "unpack": round(run.unpack_seconds, 6),
        },
    }
