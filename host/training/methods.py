"""Methods: who decides the precision of a run, and when it changes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from host.training.indicator import TurningPointIndicator
from hw.contract.errors import ParameterError
from hw.contract.precision import Precision

FORWARD_SCHEDULE = (3, 4, 6, 8)
BACKWARD_SCHEDULE = (6, 6, 8, 8)
EPSILON = 0.15
ALPHA = 0.4


@dataclass(frozen=True)
class Stage:
    """A stretch of a run at one precision, from ``first_step`` on."""

    precision: Precision
    first_step: int


class Method(ABC):
    """Chooses the precision of the residual blocks: one after the other of ``schedule``.

    ``stages`` are those visited so far, the last one current.
    """

    name: str

    def __init__(self, schedule: Sequence[Precision]) -> None:
        self.schedule = tuple(schedule)
        self.stages = [Stage(self.schedule[0], 0)]

    @property
    def precision(self) -> Precision:
        """What the next step is to run at."""
        return self.stages[-1].precision

    @abstractmethod
    def end_epoch(self, loss: float, next_step: int) -> None:
        """Take the mean training loss of an epoch; ``next_step`` is the first of the next."""


class StaticMethod(Method):
    """One precision from beginning to end."""

    name = "static"

    def __init__(self, precision: Precision) -> None:
        if 0 in (precision.activation, precision.weight, precision.error):
            raise ParameterError("precision", str(precision), "at least 1 bit of each operand")
        super().__init__([precision])

    def end_epoch(self, loss: float, next_step: int) -> None:
        """Nothing changes."""


class ProgressiveMethod(Method):
    """Progressive fractional quantization: a step up the schedule at each turning point.

    ``forward`` are the bits of activations and weights in each stage, ``backward`` those of
    errors.
    """

    name = "pfq"

    def __init__(
        self,
        forward: Sequence[int] = FORWARD_SCHEDULE,
        backward: Sequence[int] = BACKWARD_SCHEDULE,
        *,
        epsilon: float = EPSILON,
        alpha: float = ALPHA,
    ) -> None:
        if len(forward) != len(backward) or not forward:
            raise ParameterError(
                "forward and backward schedule",
                (tuple(forward), tuple(backward)),
                "two of the same length",
            )
        if 0 in (*forward, *backward):
            raise ParameterError("schedules", 0, "at least 1 bit in every stage")
        if not epsilon > 0:
            raise ParameterError("epsilon", epsilon, "greater than 0")
        if not 0 < alpha <= 1:
            raise ParameterError("alpha", alpha, "greater than 0, at most 1")
        super().__init__([Precision(f, f, b) for f, b in zip(forward, backward, strict=True)])
        self._indicator = TurningPointIndicator(
            epsilon=epsilon, alpha=alpha, limit=len(self.schedule) - 1
        )

    def end_epoch(self, loss: float, next_step: int) -> None:
        if self._indicator.observe(loss):
            self.stages.append(Stage(self.schedule[self._indicator.turning_points], next_step))
