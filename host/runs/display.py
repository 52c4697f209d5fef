"""Display of training: a bar on a terminal, lines of text elsewhere."""

from __future__ import annotations

import sys
import time
from abc import abstractmethod
from contextlib import AbstractContextManager

from fractrain.host.training.trainer import StepReport
from fractrain.sim.progress import can_overwrite, work

SMOOTHING = 0.9
"""Loss and accuracy are shown as running means: so much of the old value at each step."""

LINES = 30
"""Lines that a run prints without a terminal, about."""


class Progress(AbstractContextManager["Progress"]):
    """Context manager that is called with every step and evaluation; smooths the steps' figures and
    shows them.

    ``start``: steps done before.
    """

    def __init__(self, steps: int, start: int = 0) -> None:
        self.steps, self.start = steps, start
        self._loss = self._accuracy = 0.0
        self._weight = self._cp = 0.0

    def update(self, report: StepReport) -> None:
        # The mean of the steps so far while there are few, exponential later.
        self._weight = SMOOTHING * self._weight + 1
        self._loss += (report.loss - self._loss) / self._weight
        self._accuracy += (report.accuracy - self._accuracy) / self._weight
        self._cp = report.costs.cp
        self._show(report)

    @property
    def status(self) -> str:
        """Smoothed loss and training accuracy; cost of the blocks in percent of 32 bits."""
        return f"loss {self._loss:.3f}  accuracy {100 * self._accuracy:5.1f} %  cp {self._cp:.2f} %"

    def evaluated(self, step: int, accuracy: float) -> None:
        """The network was tested after ``step`` steps."""
        self._print(f"step {step}/{self.steps}  test accuracy {100 * accuracy:.2f} %")

    @abstractmethod
    def _show(self, report: StepReport) -> None: ...

    @abstractmethod
    def _print(self, line: str) -> None: ...


class LineProgress(Progress):
    """One line now and then, for log files and pipes. Before the first line, stderr reports the
    first step, which also compiles programs and asks the cycle model."""

    def __init__(self, steps: int, start: int = 0) -> None:
        super().__init__(steps, start)
        self._started = time.monotonic()
        self._first = work()

    def _show(self, report: StepReport) -> None:
        self._first("")
        done = report.step + 1
        if done % max(1, self.steps // LINES) and done != self.steps:
            return
        left = (time.monotonic() - self._started) * (self.steps - done) / (done - self.start)
        self._print(
            f"step {done}/{self.steps}  {self.status}  bits {mean_bits(report)}  "
            f"{int(left) // 60}:{int(left) % 60:02} left"
        )

    def _print(self, line: str) -> None:
        print(line, flush=True)

    def __enter__(self) -> Progress:
        self._first(f"step {self.start + 1} of {self.steps}")
        return self

    def __exit__(self, *exception: object) -> None:
        self._first("")


class BarProgress(Progress):
    """A bar that stays in its line."""

    def __init__(self, steps: int, start: int = 0) -> None:
        super().__init__(steps, start)
        from rich import progress

        self._bar = progress.Progress(
            progress.TextColumn("training"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[status]}"),
            progress.TimeRemainingColumn(compact=True),
        )
        self._task = self._bar.add_task("training", total=steps, completed=start, status="")

    def _show(self, report: StepReport) -> None:
        status = f"{self.status}  bits {mean_bits(report)}"
        self._bar.update(self._task, completed=report.step + 1, status=status)

    def _print(self, line: str) -> None:
        self._bar.console.print(line, highlight=False)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()


def mean_bits(report: StepReport) -> str:
    """Bits of activations, weights and errors, averaged over the blocks."""
    count = len(report.bits)
    return "/".join(f"{sum(each) / count:.3g}" for each in zip(*report.bits, strict=True))


def open_progress(steps: int, start: int = 0) -> Progress:
    """A bar if the output is a terminal and rich is installed, else lines."""
    if can_overwrite(sys.stdout):
        try:
            return BarProgress(steps, start)
        except ImportError:
            pass
    return LineProgress(steps, start)
