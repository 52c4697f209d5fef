"""The training loop: steps on the accelerator, evaluation, and a state to continue from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fractrain.host.accelerator import Accelerator
from fractrain.host.arithmetic import Arithmetic, IntegerStep
from fractrain.host.datasets.dataset import Dataset, Images, Labels
from fractrain.host.execution import Executor, Run, step_options
from fractrain.host.graph.choice import UNQUANTIZED, Choice
from fractrain.host.graph.effective_macs import EffectiveMacs
from fractrain.host.graph.step import ImageShape, StepGraph, build_step
from fractrain.host.methods.method import Method
from fractrain.host.networks.network import Network
from fractrain.host.networks.parameter import Parameter
from fractrain.host.training.integer_optimizer import IntegerSgd
from fractrain.host.training.optimizer import EXACT_LEARNING_RATES, LEARNING_RATES, MomentumSgd
from fractrain.hw.contract.errors import FractrainError, ParameterError
from fractrain.hw.contract.precision import Operand, check_bits

EVALUATION_BATCH = 128


class DivergenceError(FractrainError):
    """The loss or a parameter stopped being a finite number."""


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train; ``bn_group`` images share the statistics of batch norm
    (None: the batch)."""

    steps: int
    batch: int
    seed: int
    learning_rate: float
    learning_rate_schedule: str
    momentum: float
    weight_decay: float
    bn_group: int | None = None


@dataclass(frozen=True)
class MachineCost:
    """Modelled cost of training steps on the machine."""

    cycles: float = 0.0
    seconds: float = 0.0
    joules: float = 0.0

    def __add__(self, other: MachineCost) -> MachineCost:
        return MachineCost(
            self.cycles + other.cycles, self.seconds + other.seconds, self.joules + other.joules
        )


class CostModel(Protocol):
    """Models the cost of ``step`` after the ``choices`` of its blocks, and at FW8/BW8.

    ``machine`` is the modelled configuration, at a clock of ``clock_hz``.
    """

    machine: str
    clock_hz: float

    def __call__(
        self, step: StepGraph, choices: Sequence[Choice]
    ) -> tuple[MachineCost, MachineCost]: ...


@dataclass(frozen=True)
class StepReport:
    """The record of one step.

    ``accuracy`` is the fraction of its batch that was classified right; ``bits`` those of
    activations, weights and errors in each block, averaged over images; ``costs`` of this step
    alone, and ``machine`` (chosen, FW8/BW8) if a model was given.
    """

    step: int
    epoch: int
    loss: float
    accuracy: float
    learning_rate: float
    stage: int
    bits: list[tuple[float, float, float]]
    target_cp: float | None
    costs: EffectiveMacs
    machine: tuple[MachineCost, MachineCost] | None


@dataclass(frozen=True)
class TrainerState:
    """The state of a trainer: named ``arrays``, and a ``document`` for JSON."""

    arrays: dict[str, NDArray]
    document: dict[str, Any]


class Trainer:
    """Trains ``network`` on ``dataset`` by ``plan``, at the precision that ``method`` chooses.

    The plan's seed and the step or epoch seed every random generator, so repeated runs give the
    same weights, also when interrupted and continued from a `state`. Steps are graphs; each number
    of images has its own, made at first use and kept.

    Raises `ParameterError` for a precision that the machine does not support, and for a network
    that does not fit the images or the method.
    """

    def __init__(
        self,
        network: Network,
        dataset: Dataset,
        accelerator: Accelerator,
        method: Method,
        plan: Plan,
        arithmetic: Arithmetic,
        cost_model: CostModel | None = None,
    ) -> None:
        self.network, self.dataset, self.accelerator = network, dataset, accelerator
        self.method, self.plan, self.arithmetic = method, plan, arithmetic
        self.cost_model = cost_model
        self._check_widths()
        self.costs = EffectiveMacs()
        self.machine = (MachineCost(), MachineCost())
        self.step = 0
        """Steps done."""
        self._executors: dict[tuple[ImageShape, bool], Executor] = {}
        arithmetic.adopt(self.network)
        self.step_graph = self._executor(plan.batch, training=True).graph
        """A step of the plan's batch."""
        self._optimizer = self._make_optimizer()

    def parameters(self) -> list[Parameter]:
        """Of the network, then of the gates: the order that `weights_sha256` is over."""
        return self.network.parameters() + self.method.selector.parameters()

    def train(self, observe: Callable[[StepReport], None], *, until: int | None = None) -> None:
        """Run the remaining steps, or those before step ``until``; calls ``observe`` with each.

        Raises `DivergenceError` when the loss or a parameter is no longer finite.
        """
        last = self.plan.steps if until is None else min(until, self.plan.steps)
        per_epoch = self.dataset.steps_per_epoch(self.plan.batch)
        while self.step < last:
            epoch, first = divmod(self.step, per_epoch)
            batches = self.dataset.epoch(
                self.plan.batch,
                seed=self.plan.seed,
                epoch=epoch,
                first=first,
                numbers=self.arithmetic.numbers,
            )
            for images, labels in batches:
                report = self._step(epoch, images, labels)
                self.step += 1
                observe(report)
                if self.step == last:
                    return

    def evaluate(self, limit: int | None = None) -> float:
        """Fraction of the test images (the first ``limit`` of them) classified right."""
        images, labels = self.dataset.test_images[:limit], self.dataset.test_labels[:limit]
        self.method.before_evaluation(self.step)
        right = 0
        for start in range(0, len(images), EVALUATION_BATCH):
            part = images[start : start + EVALUATION_BATCH]
            executor = self._executor(len(part), training=False)
            run = executor.forward({"images": self._from_host(part)})
            logits = run.logits
            right += self._count_right(logits, labels[start : start + EVALUATION_BATCH])
        return right / len(images)

    # -- state -----------------------------------------------------------------------------

    def state(self) -> TrainerState:
        """A copy of the state that later steps depend on."""
        to_host, velocity = self.arithmetic.to_host, self._optimizer.velocity
        arrays = {}
        for each in self.parameters():
            arrays[f"parameter/{each.name}"] = to_host(each, each.value).copy()
            arrays[f"velocity/{each.name}"] = to_host(each, velocity[each.name]).copy()
        arrays |= {
            f"statistic/{each.name}": np.array(self.accelerator.elementwise.to_host(each.value))
            for each in (*self.network.statistics(), *self.method.selector.statistics())
            if each.value is not None
        }
        document = {
            "step": self.step,
            "method": self.method.state(),
            "effective_macs": self.costs.state(),
            "history": self.arithmetic.state(),
            "machine": [[each.cycles, each.seconds, each.joules] for each in self.machine],
        }
        return TrainerState(arrays, document)

    def load(self, state: TrainerState) -> None:
        """Continue from a `state` of a trainer of the same network, method and plan.

        Raises `ParameterError` if the arrays are not those of this network and method.
        """
        parameters = self.parameters()
        names = {f"{kind}/{each.name}" for kind in ("parameter", "velocity") for each in parameters}
        given = {name for name in state.arrays if not name.startswith("statistic/")}
        if given != names:
            raise ParameterError(
                "state", sorted(given ^ names)[0], "the parameters of this network and method"
            )
        network = {each.name for each in self.network.parameters()}
        for each in parameters:
            found: list[Any] = [
                state.arrays[f"{kind}/{each.name}"] for kind in ("parameter", "velocity")
            ]
            if each.name in network:
                found = [self.arithmetic.from_host(each, value) for value in found]
            each.value, self._optimizer.velocity[each.name] = found
        for statistics, place in (
            (self.network.statistics(), self.arithmetic.statistic_from_host),
            (self.method.selector.statistics(), np.asarray),
        ):
            for statistic in statistics:
                value = state.arrays.get(f"statistic/{statistic.name}")
                statistic.value = None if value is None else place(value)
        document = state.document
        self.step = document["step"]
        self.method.load(document["method"])
        self.arithmetic.load(document["history"])
        self.costs.load(document["effective_macs"])
        chosen, baseline = (MachineCost(*each) for each in document["machine"])
        self.machine = (chosen, baseline)

    # -- one step --------------------------------------------------------------------------

    def _step(self, epoch: int, images: Images, labels: Labels) -> StepReport:
        step, costs, rate = self.step, EffectiveMacs(), self._learning_rate()
        rounding = self.arithmetic.rounding(self.plan.seed, step)
        stage, target = len(self.method.stages) - 1, self.method.target_cp
        self.method.before_step(step)
        executor = self._executor(len(images), training=True)
        # An overflow is found by the checks; NumPy's warnings would only double their message.
        with np.errstate(over="ignore", invalid="ignore"):
            loss, logits, choices = self._carry_out(executor, (images, labels), rounding, rate)
            self._check_parameters()
        costs.add_step(executor.graph, choices)
        self.costs = self.costs + costs
        self.method.after_step(step, loss)
        return StepReport(
            step=step,
            epoch=epoch,
            loss=loss,
            accuracy=self._count_right(logits, labels) / len(labels),
            learning_rate=rate,
            stage=stage,
            bits=[choice.bits(len(images)) for choice in choices],
            target_cp=target,
            costs=costs,
            machine=self._machine_cost(executor.graph, choices),
        )

    def _carry_out(
        self, executor: Executor, batch: tuple[Images, Labels], rounding: Any, rate: float
    ) -> tuple[float, Any, list[Choice]]:
        """The step and its update: loss, logits, the choice of each block."""
        images, labels = batch
        given = {"images": self._from_host(images), "labels": self._from_host(labels)}
        self._measure(executor, given, rounding)
        run = executor.forward(given, rounding)
        loss = run.loss
        self._check_finite("the loss", loss)
        executor.backward(run)
        self._update(executor, run, rate)
        return loss, run.logits, [run.choices[block.number] for block in executor.graph.blocks]

    def _executor(self, images: int, *, training: bool) -> Executor:
        """Of steps, or evaluations, on so many images."""
        _, *shape = self.dataset.train_images.shape
        key = (images, *shape), training
        if key not in self._executors:
            selector = self.method.selector
            options = step_options(selector, self.arithmetic)
            graph = build_step(self.network, key[0], options, training=training)
            self._executors[key] = Executor(graph, self.network, self.arithmetic, selector)
        return self._executors[key]

    def _measure(self, executor: Executor, given: dict[str, Any], rounding: Any) -> None:
        """Run the step without updates, if there are tensors of which nothing is known yet."""
        if not self.arithmetic.measures:
            return
        if not executor.is_known():
            run = executor.forward(given, rounding, measuring=True)
            executor.backward(run)
            self.arithmetic.measured()

    def _make_optimizer(self) -> MomentumSgd | IntegerSgd:
        plan, parameters = self.plan, self.parameters()
        constants = {"momentum": plan.momentum, "weight_decay": plan.weight_decay}
        if isinstance(self.arithmetic, IntegerStep):
            return IntegerSgd(parameters, self.arithmetic, seed=plan.seed, **constants)
        return MomentumSgd(parameters, **constants)

    def _update(self, executor: Executor, run: Run, rate: float) -> None:
        """Of the network, then of the selector."""

        def update(parameter: Parameter) -> None:
            self._optimizer.update(parameter, rate, self.step)

        executor.update(run, update)
        for parameter in self.method.selector.parameters():
            update(parameter)

    def _machine_cost(
        self, step: StepGraph, choices: Sequence[Choice]
    ) -> tuple[MachineCost, MachineCost] | None:
        if self.cost_model is None:
            return None
        chosen, baseline = self.cost_model(step, choices)
        self.machine = (self.machine[0] + chosen, self.machine[1] + baseline)
        return chosen, baseline

    def _learning_rate(self) -> float:
        rates = LEARNING_RATES if self.arithmetic.integers is None else EXACT_LEARNING_RATES
        factor = rates[self.plan.learning_rate_schedule](self.step / self.plan.steps)
        return self.plan.learning_rate * factor

    def _from_host(self, array: NDArray) -> Any:
        return self.accelerator.elementwise.from_host(array)

    def _count_right(self, logits: Any, labels: Labels) -> int:
        predicted = self.accelerator.elementwise.to_host(logits).argmax(axis=1)
        return int((predicted == labels).sum())

    # -- checks ----------------------------------------------------------------------------

    def _check_widths(self) -> None:
        """Refuse at once a precision that would come up late in the run."""
        maximum = self.accelerator.parameters.precision.max_bits
        for precision in (*self.method.selector.precisions, UNQUANTIZED):
            for operand in Operand:
                check_bits(
                    f"{operand.name.lower()} bits of {precision}",
                    precision.bits(operand),
                    maximum=maximum,
                    allow_skip=True,
                )
        if self.method.selector.stored_bits is not None:
            check_bits("stored activation bits", self.method.selector.stored_bits, maximum=maximum)

    def _check_parameters(self) -> None:
        found = self.arithmetic.find_infinite(self.network.parameters())
        for each in self.method.selector.parameters():
            if not math.isfinite(float(each.value.sum())):
                found = each
        if found is not None:
            self._check_finite(f"the sum of {found.name}", float(found.value.sum()))

    def _check_finite(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            raise DivergenceError(
                f"training diverged: {what} is {value} at step {self.step}; "
                f"try a learning rate below {self.plan.learning_rate:g} (--lr)"
            )
