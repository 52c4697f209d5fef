"""The training loop on a machine that does whole steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fractrain.host.arithmetic import IntegerStep
from fractrain.host.datasets.dataset import Images, Labels
from fractrain.host.execution import Executor
from fractrain.host.graph.choice import Choice
from fractrain.host.machine_step import MachineStep, WholeStepMachine
from fractrain.host.training.integer_optimizer import IntegerSgd
from fractrain.host.training.trainer import Trainer, TrainerState
from fractrain.hw.contract.errors import ParameterError


class MachineTrainer(Trainer):
    """A trainer in hardware mode; ``machine`` does its steps, and all that they leave is the same.

    Evaluations, what has to be measured, and steps that the machine refuses run on the accelerator,
    layer by layer.
    """

    def __init__(self, *given: Any, machine: WholeStepMachine, **named: Any) -> None:
        super().__init__(*given, **named)
        arithmetic, optimizer = self.arithmetic, self._optimizer
        if not isinstance(arithmetic, IntegerStep) or not isinstance(optimizer, IntegerSgd):
            raise ParameterError("mode", arithmetic.mode, "hardware, on a machine of whole steps")
        self.whole_steps = 0
        """Steps of this trainer that the machine did, and not the accelerator."""
        self.note: Callable[[str], None] = lambda text: None
        """Called with what a user should know, once."""
        self._noted: set[str] = set()
        self._steps = MachineStep(self.network, arithmetic, optimizer, machine)

    def evaluate(self, limit: int | None = None) -> float:
        self._steps.fetch()
        return super().evaluate(limit)

    def state(self) -> TrainerState:
        self._steps.fetch()
        return super().state()

    def load(self, state: TrainerState) -> None:
        super().load(state)
        self._steps.changed()

    def _note(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self.note(text)

    def _carry_out(
        self, executor: Executor, batch: tuple[Images, Labels], rounding: Any, rate: float
    ) -> tuple[float, Any, list[Choice]]:
        def check(loss: float) -> None:
            self._check_finite("the loss", loss)

        done = self._steps.run(executor, batch, rounding, rate, check)
        self.whole_steps += done.whole
        if done.refusal is not None:
            self._note(f"steps go layer by layer, with the same integers: {done.refusal}")
        return done.loss, done.logits, done.choices
