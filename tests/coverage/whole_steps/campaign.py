"""Whole steps, one after the other, until every bin is hit or there have been enough."""

from __future__ import annotations

from pathlib import Path

from fractrain.host.accelerator import Accelerator
from fractrain.hw.contract.parameters import Parameters
from tests.coverage.points import Coverage
from tests.coverage.whole_steps.bins import STEP_POINTS
from tests.coverage.whole_steps.drawing import Steps
from tests.coverage.whole_steps.machine import StepMachine

__all__ = ["Campaign"]


class Campaign:
    """Random whole steps on a machine of ``p``; use it in a ``with`` statement."""

    def __init__(self, p: Parameters, golden: Accelerator, seed: int) -> None:
        self.coverage = Coverage(STEP_POINTS)
        self.machine = StepMachine(p, golden, self.coverage)
        self._steps = Steps(p, self.coverage, seed)
        self.cases = 0

    def __enter__(self) -> Campaign:
        return self

    def __exit__(self, *error: object) -> None:
        self.machine.close()

    def run(self, most: int) -> None:
        """Check up to ``most`` cases, while a bin is empty; raises `StepMismatch`."""
        for _ in range(most):
            if not self.coverage.holes:
                return
            self.cases += 1
            self.machine.check(self._steps.next())

    def summary(self) -> str:
        machine = self.machine
        left = f"{machine.refused} refused; weights: {machine.golden_weights} golden's, "
        left += f"{machine.limited} with limited factors"
        done = f"{self.cases} networks ({left}), {machine.cycles} cycles"
        return f"{done}\n{self.coverage.summary()}"

    def write(self, path: Path, title: str) -> None:
        """The report, as Markdown."""
        path.parent.mkdir(parents=True, exist_ok=True)
        tables = self.coverage.markdown()
        path.write_text(
            f"# Coverage of {title}\n\n```\n{self.summary()}\n```\n\n{tables}", encoding="utf-8"
        )
