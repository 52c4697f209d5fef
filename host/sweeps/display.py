"""Display of a sweep: a bar for each run on a terminal, lines of text elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from typing import Any

from fractrain.host.files.regular import read_object
from fractrain.host.reports.quantities import percent
from fractrain.host.sweeps.job import Job, Outcome
from fractrain.host.sweeps.points import Point
from fractrain.host.training.run_directory import SUMMARY
from fractrain.sim.progress import can_overwrite

LINE_SECONDS = 60
"""Between lines about the runs' progress, without a terminal."""


class Lines(AbstractContextManager["Lines"]):
    """A `host.sweeps.campaign.Display` for log files and pipes.

    ``total`` points, of which ``done`` have finished before.
    """

    def __init__(self, total: int, done: int) -> None:
        self.total, self.done = total, done
        self._steps: dict[Point, int] = {}
        self._last = time.monotonic()
        self._stopping = False

    def started(self, point: Point, steps: int) -> None:
        """A line for resumed runs only: the others begin at step 0."""
        self._steps[point] = steps
        if steps:
            self._print(f"{point.label}: goes on after step {steps} of {point.resolved.steps}")

    def progress(self, point: Point, steps: int) -> None:
        self._steps[point] = steps
        if time.monotonic() - self._last >= LINE_SECONDS:
            self._last = time.monotonic()
            for each, done in self._steps.items():
                if done:
                    self._print(f"{each.label}: step {done} of {each.resolved.steps}")

    def ended(self, point: Point, job: Job, outcome: Outcome) -> None:
        self._steps.pop(point, None)
        if self._stopping and outcome.code:
            return
        self.done += 1
        self._print(f"[{self.done}/{self.total}] {point.label}: {_end(job, outcome)}")

    def stopping(self) -> None:
        self._stopping = True
        self._print("stopping: runs save their state; once more to end them at once")

    def _print(self, line: str) -> None:
        print(line, flush=True)

    def __exit__(self, *exception: object) -> None:
        """Nothing to clean up."""


class Bars(Lines):
    """One for each run that has done a step since it was started, and one for all of them."""

    def __init__(self, total: int, done: int) -> None:
        super().__init__(total, done)
        from rich import progress

        self._bars: Any = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(compact=True),
        )
        self._all = self._bars.add_task("all runs", total=total, completed=done)
        self._tasks: dict[Point, Any] = {}

    def progress(self, point: Point, steps: int) -> None:
        if point not in self._tasks and steps == self._steps[point]:
            return
        if point not in self._tasks:
            self._tasks[point] = self._bars.add_task(
                point.label, total=point.resolved.steps, completed=self._steps[point]
            )
        self._bars.update(self._tasks[point], completed=steps)

    def ended(self, point: Point, job: Job, outcome: Outcome) -> None:
        if point in self._tasks:
            self._bars.remove_task(self._tasks.pop(point))
        super().ended(point, job, outcome)
        self._bars.update(self._all, completed=self.done)

    def _print(self, line: str) -> None:
        self._bars.console.print(line, highlight=False, markup=False)

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()


def open_display(total: int, done: int) -> Lines:
    """Bars if the output is a terminal and rich is installed, else lines."""
    if can_overwrite(sys.stdout):
        try:
            return Bars(total, done)
        except ImportError:
            pass
    return Lines(total, done)


def _end(job: Job, outcome: Outcome) -> str:
    if outcome.code:
        return f"failed: {outcome.message}"
    summary = read_object(job.folder / SUMMARY)
    return f"test accuracy {summary['test_accuracy']:.2f} %, saving {percent(summary['saving'])}"
