"""Methods: who decides the precision of a run, and when it changes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.host.networks.gates import Gates
from fractrain.host.networks.selection import FixedSelector, Selector
from fractrain.host.training.indicator import TurningPointIndicator
from fractrain.hw.contract.precision import Precision


@dataclass(frozen=True)
class Stage:
    """A stretch of a run, from ``first_step`` on, in which ``value`` holds."""

    value: Any
    first_step: int


class Progression:
    """Values that follow each other: one from beginning to end, or the next at each turning point
    of the training loss.

    ``interval``: steps whose mean loss is one of the indicator's (it was made for epochs).
    ``stages`` are those visited so far, the last one current.
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
        """All that `load` needs to go on from here."""
        return {
            "first_steps": [stage.first_step for stage in self.stages],
            "losses": self._losses,
            "indicator": None if self._indicator is None else self._indicator.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state` of the same progression."""
        self.stages = [
            Stage(value, first)
            for value, first in zip(self.values, state["first_steps"], strict=False)
        ]
        self._losses = list(state["losses"])
        if self._indicator is not None:
            self._indicator.load(state["indicator"])


class Method(ABC):
    """Tells the selector what holds in the next step, and learns how the step went."""

    def __init__(self, name: str, selector: Selector, progression: Progression) -> None:
        self.name, self.selector, self.progression = name, selector, progression

    @abstractmethod
    def before_step(self) -> None:
        """Set the selector up for the next step (or evaluation)."""

    def after_step(self, step: int, loss: float) -> None:
        """Take the training loss of a step."""
        self.progression.observe(step, loss)

    @property
    def target_cp(self) -> float | None:
        """The cost that the next step is to have; None where none is aimed at."""
        return None

    @abstractmethod
    def describe(self, value: Any) -> dict[str, Any]:
        """A stage's value for the summary."""


class ScheduledMethod(Method):
    """One precision for all blocks, by a schedule: static training and progressive quantization."""

    selector: FixedSelector

    def __init__(self, name: str, progression: Progression) -> None:
        selector = FixedSelector(progression.current, progression.values)
        super().__init__(name, selector, progression)

    def before_step(self) -> None:
        self.selector.precision = self.progression.current

    def describe(self, value: Precision) -> dict[str, Any]:
        return {
            "activation": value.activation,
            "weight": value.weight,
            "error": value.error,
        }


class GatedMethod(Method):
    """Gates choose for each block; the target of their cost follows a progression (DFQ: of one)."""

    selector: Gates

    def __init__(self, name: str, gates: Gates, progression: Progression) -> None:
        super().__init__(name, gates, progression)

    def before_step(self) -> None:
        self.selector.target = self.progression.current

    @property
    def target_cp(self) -> float:
        return float(self.progression.current)

    def describe(self, value: float) -> dict[str, Any]:
        return {"target_cp": value}
