"""Power of a training run, step by step, into the folder of the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fractrain.host.board.power.energy import energy
from fractrain.host.board.power.hwmon import Rail
from fractrain.host.board.power.record import (
    NAME,
    failure_line,
    part_line,
    sample_line,
    step_line,
    summarize,
)
from fractrain.host.board.power.sampler import PowerSampler, Sample, watts
from fractrain.host.files.journal import Journal, put_aside
from fractrain.hw.contract.errors import DataError

__all__ = ["PowerLog"]


class PowerLog:
    """Logs the board's power, as the meter of a run: ``power.jsonl`` in the run's folder, and
    ``measured_energy`` in its summary. It is a `host.training.meter.Meter`.

    The thread of ``sampler`` takes samples; the training thread writes them after each step, so the
    log holds all of a step as soon as the power after it is known. Each process writes one part of
    ``power.jsonl`` (`host.board.power.record`).
    """

    def __init__(self, sampler: PowerSampler, clock: Callable[[], float] = time.monotonic) -> None:
        self._sampler, self._clock = sampler, clock
        self._journal: Journal | None = None
        self._recent: list[Sample] = []
        self._open_steps: list[tuple[int, float, float]] = []
        self._begun = 0.0

    def resume(self, folder: Path, note: Callable[[str], None]) -> None:
        """Put aside a log that `summary` could not read at the end."""
        journal = Journal(folder / NAME)
        try:
            summarize(journal.read())
        except DataError as error:
            put_aside(journal, f"cannot be used ({error})", note)

    def start(self) -> None:
        """Sample from now on."""
        self._sampler.start()

    def begin_step(self) -> None:
        """A step begins now."""
        self._begun = self._clock()

    def end_step(self, step: int) -> None:
        """Step ``step`` has ended."""
        self._open_steps.append((step, self._begun, self._clock()))

    def write(self, folder: Path) -> None:
        """Append everything known by now to the log in ``folder``."""
        journal = self._journal or self._begin(folder)
        samples = self._sampler.take()
        for failure in self._sampler.take_failures():
            journal.append(failure_line(failure))
        for sample in samples:
            journal.append(sample_line(sample))
        self._recent += samples
        newest = self._recent[-1].time if self._recent else None
        while self._open_steps and newest is not None and self._open_steps[0][2] <= newest:
            self._write_step(journal, *self._open_steps.pop(0))

    def sync(self) -> None:
        """Make the log durable."""
        if self._journal is not None:
            self._journal.sync()

    def close(self, folder: Path | None) -> None:
        """End sampling; write the rest to ``folder``, None if no run has begun there."""
        self._sampler.stop()
        if folder is not None:
            self.write(folder)
        if self._journal is not None:
            self._journal.sync()
            self._journal.close()

    def summary(self, folder: Path) -> dict[str, Any]:
        """`summarize` of all parts in ``folder``."""
        return {"measured_energy": summarize(Journal(folder / NAME).read())}

    def _begin(self, folder: Path) -> Journal:
        journal = self._journal = Journal(folder / NAME)
        sampler = self._sampler
        journal.append(part_line(sampler.channels, sampler.rails, sampler.rate_hz))
        return journal

    def _write_step(self, journal: Journal, step: int, begin: float, end: float) -> None:
        inside = [each for each in self._recent if begin < each.time <= end]
        joules = {each.name: self._energy(each, inside, begin, end) for each in self._sampler.rails}
        journal.append(step_line(step, begin, end, len(inside), joules))
        # The last one before the end is where the next step's power begins.
        before = [index for index, each in enumerate(self._recent) if each.time <= end]
        self._recent = self._recent[max(before, default=0) :]

    def _energy(
        self, rail: Rail, inside: Sequence[Sample], begin: float, end: float
    ) -> float | None:
        """None where samples of the step are there but none of them could read this rail.

        (A step shorter than a period may have none: then its neighbours say what its power was.)
        """
        channels = self._sampler.channels
        if inside and not watts(rail, channels, inside):
            return None
        return energy(watts(rail, channels, self._recent), begin, end)
