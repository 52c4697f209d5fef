"""A progression of values: the next one holds when the training loss has settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.host.methods.indicator import PUBLISHED_DECAYS, TurningPointIndicator
from fractrain.host.methods.method import Method, Stage, Task
from fractrain.host.methods.rules import STEPS
from fractrain.host.networks.selection import Selector
from fractrain.host.plugins.option import Checked, option
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.values import Optional, Real

__all__ = ["ProgressiveMethod", "Progression", "ProgressionOptions", "check_never_falls"]


@dataclass(frozen=True)
class ProgressionOptions(Checked):
    """Options of the turning points (`TurningPointIndicator`)."""

    epsilon: float = option(
        Real(0, 1e9, above=True),
        0.15,
        "the loss has settled when its last five means differ by at most E of its scale",
        aliases=("--eps",),
        metavar="E",
    )
    alpha: float = option(Real(0, 1, above=True), 0.4, "factor on E after each stage", metavar="A")
    interval: int | None = option(
        Optional(STEPS),
        None,
        "steps that each of those means is over",
        metavar="N",
        shown="an epoch",
    )

    def progression(self, values: Sequence[Any], task: Task) -> Progression:
        """Of ``values``."""
        if len(values) == 1:
            return Progression(values)
        indicator = TurningPointIndicator(
            epsilon=self.epsilon,
            alpha=self.alpha,
            limit=len(values) - 1,
            decays=PUBLISHED_DECAYS if task.published else None,
        )
        return Progression(values, indicator, self.interval or task.steps_per_epoch)


def check_never_falls(name: str, values: Sequence[float]) -> None:
    """Raise `ParameterError` unless each of ``values`` is at least the one before."""
    if list(values) != sorted(values):
        allowed = "values that never fall: each stage costs at least what the last one did"
        raise ParameterError(name, values, allowed)


class Progression:
    """Values in turn: one for the whole run, or the next at each turning point of the training
    loss.

    ``interval``: steps of one mean loss for the indicator (which was made for epochs). ``stages``:
    those visited so far, the last one current.
    """

    def __init__(
        self,
        values: Sequence[Any],
        indicator: TurningPointIndicator | None = None,
        interval: int = 1,
    ) -> None:
        self.values = tuple(values)
        self.stages = [Stage(self.values[0], 0)]
        self._indicator, self._interval = indicator, interval
        self._losses: list[float] = []

    @property
    def current(self) -> Any:
        """The value of the next step."""
        return self.stages[-1].value

    def observe(self, step: int, loss: float) -> None:
        """Take the loss of a step."""
        if self._indicator is None:
            return
        self._losses.append(loss)
        if len(self._losses) < self._interval:
            return
        mean = sum(self._losses) / len(self._losses)
        self._losses = []
        if self._indicator.observe(mean):
            value = self.values[self._indicator.turning_points]
            self.stages.append(Stage(value, step + 1))

    def state(self) -> dict[str, Any]:
        """The state that `load` needs to continue."""
        return {
            "first_steps": [stage.first_step for stage in self.stages],
            "losses": self._losses,
            "indicator": None if self._indicator is None else self._indicator.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a `state` of the same progression."""
        self.stages = [
            Stage(value, first)
            for value, first in zip(self.values, state["first_steps"], strict=False)
        ]
        self._losses = list(state["losses"])
        if self._indicator is not None:
            self._indicator.load(state["indicator"])


class ProgressiveMethod(Method):
    """A method with the stages of ``progression``."""

    def __init__(self, name: str, selector: Selector, progression: Progression) -> None:
        super().__init__(name, selector)
        self.progression = progression

    def after_step(self, step: int, loss: float) -> None:
        self.progression.observe(step, loss + self.selector.indicated_loss)

    @property
    def stages(self) -> Sequence[Stage]:
        return self.progression.stages

    @property
    def stages_planned(self) -> int:
        return len(self.progression.values)

    def state(self) -> dict[str, Any]:
        return self.progression.state()

    def load(self, state: dict[str, Any]) -> None:
        self.progression.load(state)
