"""Cases, one after the other, until every bin is hit or there has been enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fractrain.hw.contract.parameters import Parameters
from tests.coverage.bins import layer_points
from tests.coverage.commands import COMMAND_POINTS
from tests.coverage.machine import Machine, Mismatch
from tests.coverage.points import Coverage
from tests.coverage.programs import Programs
from tests.coverage.shrinking import shrink


class Campaign:
    """Random programs on a machine of ``parameters``; use it in a ``with`` statement."""

    def __init__(self, parameters: Parameters, seed: int) -> None:
        self.coverage = Coverage({**layer_points(parameters), **COMMAND_POINTS})
        self.machine = Machine(parameters, self.coverage)
        self._programs = Programs(parameters, self.coverage, seed)
        self.cases = 0

    def __enter__(self) -> Campaign:
        return self

    def __exit__(self, *error: object) -> None:
        self.machine.close()

    def run(self, goes_on: Callable[[Campaign], bool]) -> None:
        """Check cases while ``goes_on``; raises the `Mismatch` of a case made small."""
        while goes_on(self):
            case = self._programs.next()
            self.cases += 1
            try:
                self.machine.check(case)
            except Mismatch as found:
                raise shrink(self.machine, found) from None

    def summary(self) -> str:
        machine = self.machine
        done = (
            f"{self.cases} programs ({machine.refused} refused), {machine.runs} runs, "
            f"{machine.steps} steps, {machine.cycles} cycles"
        )
        return f"{done}\n{self.coverage.summary()}"

    def write(self, path: Path, title: str) -> None:
        """The report, as Markdown."""
        path.parent.mkdir(parents=True, exist_ok=True)
        tables = self.coverage.markdown()
        path.write_text(
            f"# Coverage of {title}\n\n```\n{self.summary()}\n```\n\n{tables}", encoding="utf-8"
        )
