"""What a method is: to the trainer (`Method`), to its builder (`Task`), to users (`MethodKind`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fractrain.host.networks.selection import Selector

__all__ = ["Method", "MethodKind", "Stage", "Task"]


@dataclass(frozen=True)
class Stage:
    """A stretch of a run, from ``first_step`` on, in which ``value`` holds."""

    value: Any
    first_step: int


class Method(ABC):
    """Tells its selector what holds in the next step, and learns how the step went.

    ``selector.precisions`` are all that it will ever choose: the machine's programs are laid out
    for them. One that does not go through stages leaves the last five members as they are.
    """

    def __init__(self, name: str, selector: Selector) -> None:
        self.name, self.selector = name, selector

    @abstractmethod
    def before_step(self, step: int) -> None:
        """Set the selector up for ``step``, or for an evaluation before it."""

    @abstractmethod
    def describe(self, value: Any) -> dict[str, Any]:
        """The value of a stage for the summary, as JSON has it."""

    def after_step(self, step: int, loss: float) -> None:  # noqa: B027  most need not know
        """Take the training loss of a step."""

    @property
    def target_cp(self) -> float | None:
        """The cost that the next step is to have; None where none is aimed at."""
        return None

    @property
    def stages(self) -> Sequence[Stage]:
        """Those visited so far, the last one current."""
        return [Stage(None, 0)]

    @property
    def stages_planned(self) -> int:
        """How many there are if the run is long enough."""
        return 1

    def state(self) -> dict[str, Any]:
        """All that `load` needs to go on from here, as JSON has it."""
        return {}

    def load(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Go on from a `state` of the same method."""


@dataclass(frozen=True)
class Task:
    """What a method is built for.

    steps_per_epoch : of the data set with the run's batch
    widths, macs : channels of the input, and multiply-accumulates of a pass, of each block
    per_sample : each image has a choice of its own, made before its activations are quantized
    rng : for what the method learns with
    """

    steps_per_epoch: int
    widths: Sequence[int]
    macs: Sequence[int]
    per_sample: bool
    rng: np.random.Generator


@dataclass(frozen=True)
class MethodKind:
    """A method as users choose it.

    about : what `--help` says of it
    options : a frozen dataclass of options (`host.plugins.option`); its `__post_init__` refuses
        values that do not go together
    build : makes the method of such options; `ParameterError` if they do not suit the task
    """

    name: str
    about: str
    options: type
    build: Callable[[Any, Task], Method]
