"""A method, for the trainer (`Method`), its builder (`Task`) and users (`MethodKind`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.host.networks.selection import Selector
from fractrain.host.numerics.random_streams import RandomNumbers

__all__ = ["Method", "MethodKind", "Stage", "Task"]


@dataclass(frozen=True)
class Stage:
    """A stretch of a run, from ``first_step`` on, in which ``value`` holds."""

    value: Any
    first_step: int


class Method(ABC):
    """Sets its selector up for each step, and takes the step's loss.

    ``selector.precisions`` are all precisions that it will ever choose: the machine's programs are
    laid out for them. A method without stages leaves the members from `target_cp` on as they are.
    """

    def __init__(self, name: str, selector: Selector) -> None:
        self.name, self.selector = name, selector

    @abstractmethod
    def before_step(self, step: int) -> None:
        """Set the selector up for ``step``."""

    def before_evaluation(self, steps: int) -> None:
        """Set the selector up for an evaluation after ``steps`` steps: as for the next one."""
        self.before_step(steps)

    @abstractmethod
    def describe(self, value: Any) -> dict[str, Any]:
        """The value of a stage for the summary, as JSON has it."""

    def after_step(self, step: int, loss: float) -> None:  # noqa: B027  most need not know
        """Take the training loss of a step."""

    @property
    def target_cp(self) -> float | None:
        """The target cost of the next step; None without a target."""
        return None

    @property
    def stages(self) -> Sequence[Stage]:
        """The stages visited so far, the last one current."""
        return [Stage(None, 0)]

    @property
    def stages_planned(self) -> int:
        """How many there are if the run is long enough."""
        return 1

    def state(self) -> dict[str, Any]:
        """The state that `load` needs to continue, as JSON."""
        return {}

    def load(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Continue from a `state` of the same method."""


@dataclass(frozen=True)
class Task:
    """The task that a method is built for.

    steps : of the run
    steps_per_epoch : of the data set with the run's batch
    widths, macs : channels of the input, and multiply-accumulates of a pass, of each block
    mode : the numerics, as ``--mode`` has them
    rng : for the method's own parameters
    """

    steps: int
    steps_per_epoch: int
    widths: Sequence[int]
    macs: Sequence[int]
    mode: str
    rng: RandomNumbers

    @property
    def per_sample(self) -> bool:
        """Whether each image has a choice of its own, made before its activations are quantized."""
        return self.mode == "reference"

    @property
    def published(self) -> bool:
        """Whether the rules of the authors' code hold where ours differ."""
        return self.mode == "reference"


@dataclass(frozen=True)
class MethodKind:
    """A method, for users.

    about : its text in `--help`
    options : a frozen dataclass of options (`host.plugins.option`); its `__post_init__` refuses
        values that do not go together
    build : makes the method of such options; `ParameterError` if they do not suit the task
    """

    name: str
    about: str
    options: type
    build: Callable[[Any, Task], Method]
