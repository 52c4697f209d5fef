"""The training loop: steps on the accelerator, epochs, evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from host.accelerator import Accelerator
from host.datasets.dataset import Dataset, Images, Labels
from host.networks.classifier import softmax_cross_entropy
from host.networks.effective_macs import EffectiveMacs
from host.networks.execution import UNQUANTIZED, Execution, Training
from host.networks.resnet import ResNet
from host.numerics.quantization import StochasticRounding
from host.training.methods import Method
from host.training.optimizer import LEARNING_RATES, MomentumSgd
from hw.contract.errors import FractrainError
from hw.contract.precision import Operand, Precision, check_bits

EVALUATION_BATCH = 128


class DivergenceError(FractrainError):
    """The loss or a parameter stopped being a finite number."""


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train."""

    steps: int
    batch: int
    seed: int
    learning_rate: float
    learning_rate_schedule: str
    momentum: float
    weight_decay: float


@dataclass(frozen=True)
class StepReport:
    """What one step did; ``accuracy`` is the fraction of its batch that was classified right."""

    step: int
    loss: float
    accuracy: float
    precision: Precision


class Trainer:
    """Trains ``network`` on ``dataset`` by ``plan``, at the precision that ``method`` chooses.

    Everything random is drawn from generators that are seeded by the plan's seed and the step or
    the epoch, so a run gives the same weights whenever it is repeated.
    """

    def __init__(
        self,
        network: ResNet,
        dataset: Dataset,
        accelerator: Accelerator,
        method: Method,
        plan: Plan,
    ) -> None:
        self.network, self.dataset, self.accelerator = network, dataset, accelerator
        self.method, self.plan = method, plan
        self._check_widths()
        self.costs = EffectiveMacs()
        self._optimizer = MomentumSgd(
            network.parameters(), momentum=plan.momentum, weight_decay=plan.weight_decay
        )

    def train(self, observe: Callable[[StepReport], None]) -> None:
        """Run all steps; ``observe`` is told of each.

        Raises `DivergenceError` when the loss or a parameter is no longer finite.
        """
        per_epoch = self.dataset.steps_per_epoch(self.plan.batch)
        for epoch in range(math.ceil(self.plan.steps / per_epoch)):
            step = epoch * per_epoch
            losses = []
            for images, labels in self.dataset.epoch(
                self.plan.batch, seed=self.plan.seed, epoch=epoch
            ):
                if step == self.plan.steps:
                    return
                report = self._step(step, images, labels)
                losses.append(report.loss)
                observe(report)
                step += 1
            self.method.end_epoch(float(np.mean(losses)), step)

    def evaluate(self, limit: int | None = None) -> float:
        """Fraction of the test images (the first ``limit`` of them) classified right."""
        images, labels = self.dataset.test_images[:limit], self.dataset.test_labels[:limit]
        execution = Execution(self.accelerator, self.method.precision)
        right = 0
        for start in range(0, len(images), EVALUATION_BATCH):
            part = slice(start, start + EVALUATION_BATCH)
            right += _count_right(self.network.forward(images[part], execution), labels[part])
        return right / len(images)

    def _step(self, step: int, images: Images, labels: Labels) -> StepReport:
        precision = self.method.precision
        training = Training(StochasticRounding(self.plan.seed, step), self.costs)
        execution = Execution(self.accelerator, precision, training)
        # An overflow is found by the checks; NumPy's warnings would only double their message.
        with np.errstate(over="ignore", invalid="ignore"):
            logits = self.network.forward(images, execution)
            loss, error = softmax_cross_entropy(execution.xp, logits, labels)
            self._check_finite("the loss", float(loss), step)
            self.network.backward(error, execution)
            self._optimizer.step(self._learning_rate(step))
            for parameter in self.network.parameters():
                total = float(execution.xp.sum(parameter.value))
                self._check_finite(f"the sum of {parameter.name}", total, step)
        return StepReport(step, float(loss), _count_right(logits, labels) / len(labels), precision)

    def _check_widths(self) -> None:
        """Refuse at once a precision that would come up late in the run."""
        maximum = self.accelerator.parameters.precision.max_bits
        for precision in (*self.method.schedule, UNQUANTIZED):
            for operand in Operand:
                check_bits(
                    f"{operand.name.lower()} bits of {precision}",
                    precision.bits(operand),
                    maximum=maximum,
                )

    def _learning_rate(self, step: int) -> float:
        factor = LEARNING_RATES[self.plan.learning_rate_schedule](step / self.plan.steps)
        return self.plan.learning_rate * factor

    def _check_finite(self, what: str, value: float, step: int) -> None:
        if not math.isfinite(value):
            raise DivergenceError(
                f"training diverged: {what} is {value} at step {step}; "
                f"try a learning rate below {self.plan.learning_rate:g} (--lr)"
            )


def _count_right(logits: Images, labels: Labels) -> int:
    return int((logits.argmax(axis=1) == labels).sum())
