"""Two trainers of the same run: on the executor, and on a machine that does whole steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from fractrain.host.accelerator import Accelerator
from fractrain.host.arithmetic import IntegerStep
from fractrain.host.datasets.dataset import Dataset
from fractrain.host.graph.choice import Choice, Path
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.step import build_outline
from fractrain.host.machine_step import WholeStepMachine
from fractrain.host.methods.method import Method, Task
from fractrain.host.methods.recipe import Recipe
from fractrain.host.networks.registry import build_network
from fractrain.host.networks.selection import Selector
from fractrain.host.numerics.counter_numbers import counter_numbers
from fractrain.host.numerics.quantization import WeightLevels
from fractrain.host.numerics.random_streams import Stream
from fractrain.host.numerics.step_math import StepMath
from fractrain.host.training.machine_trainer import MachineTrainer
from fractrain.host.training.trainer import Plan, StepReport, Trainer, TrainerState
from fractrain.hw.contract.precision import Precision
from tests.host.compiler.whole_step.small_network import SmallNetwork
from tests.host.machine_step.golden_machine import GoldenMachine

SIDE = 8


def dataset(channels: int = 1, classes: int = 3, side: int = SIDE) -> Dataset:
    """Noise that is brighter in one part of the picture, by its class."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, 60)
    images = rng.integers(0, 90, (60, channels, side, side), np.uint8)
    for number, label in enumerate(labels):
        images[number, :, :, 2 * label : 2 * label + 3] += 110
    return Dataset("bright", classes, images[:48], labels[:48], images[48:], labels[48:])


@dataclass(frozen=True)
class Case:
    """A run: of ``model``, by ``recipe`` or by scripted choices, with these options. ``stages``:
    instead of ``model``, filters and stride of the blocks of a `SmallNetwork`."""

    recipe: Recipe | None = None
    script: tuple[tuple[Precision, ...], ...] = ()
    options: IntegerOptions = field(default_factory=IntegerOptions)
    model: str = "resnet8"
    stages: tuple[tuple[int, int], ...] = ()
    side: int = SIDE
    batch: int = 6
    steps: int = 4
    levels: WeightLevels = WeightLevels.CLIP
    rate: float = 0.1

    @property
    def plan(self) -> Plan:
        return Plan(self.steps, self.batch, 5, self.rate, "cosine", 0.9, 1e-4)


class Attached(WholeStepMachine, Protocol):
    """A machine that is told whose steps it does."""

    def attach(self, trainer: Trainer) -> None: ...


class ScriptedSelector(Selector):
    """Precisions of the blocks, step after step: those of ``script``, again and again."""

    def __init__(self, script: Sequence[Sequence[Precision]]) -> None:
        self.precisions = tuple(dict.fromkeys(each for step in script for each in step))
        self.script, self.step = script, 0

    def choose(self, index: int, x: Any, elementwise: Any) -> Choice:
        raise NotImplementedError

    def choose_early(self, index: int, *, training: bool) -> Choice:
        return Choice((Path(self.script[self.step % len(self.script)][index]),))


class Scripted(Method):
    selector: ScriptedSelector

    def before_step(self, step: int) -> None:
        self.selector.step = step

    def describe(self, value: Any) -> dict[str, Any]:
        return {}


def make(
    case: Case,
    accelerator: Accelerator,
    machine: Callable[[Case, Accelerator], Attached] | None = None,
) -> Trainer:
    data = dataset(side=case.side)
    numbers = counter_numbers(case.plan.seed, Stream.WEIGHTS)
    network: Any = build_network(case.model, channels=1, classes=data.classes, rng=numbers)
    if case.stages:
        network = SmallNetwork(8, case.stages, channels=1, classes=data.classes)
    outline = build_outline(network, (1, case.side, case.side))
    task = Task(
        steps=case.steps,
        steps_per_epoch=data.steps_per_epoch(case.batch),
        widths=[block.channels for block in outline.blocks],
        macs=[outline.block_macs(block.number) for block in outline.blocks],
        mode="hardware",
        rng=counter_numbers(case.plan.seed, Stream.GATES),
    )
    if case.recipe is None:
        method: Method = Scripted("scripted", ScriptedSelector(case.script))
    else:
        method = case.recipe.for_mode("hardware").build(task)
    arithmetic = IntegerStep(accelerator, case.levels, case.options)
    given = network, data, accelerator, method, case.plan, arithmetic
    if machine is None:
        return Trainer(*given)
    made = machine(case, accelerator)
    trainer = MachineTrainer(*given, machine=made)
    made.attach(trainer)
    return trainer


def on_golden(
    math: StepMath | None = None, **named: Any
) -> Callable[[Case, Accelerator], GoldenMachine]:
    """Makes a `GoldenMachine`, by default with the accelerator's form of the integers."""

    def machine(case: Case, accelerator: Accelerator) -> GoldenMachine:
        return GoldenMachine(accelerator, case.options, math or accelerator.step_math, **named)

    return machine


def train(trainer: Trainer, until: int | None = None) -> list[dict[str, Any]]:
    """The steps' records, as numbers."""
    reports: list[StepReport] = []
    trainer.train(reports.append, until=until)
    return [vars(each) | {"costs": each.costs.state()} for each in reports]


def assert_same_state(one: TrainerState, other: TrainerState) -> None:
    """Bit for bit: also the sign of 0."""
    assert one.document == other.document
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        theirs = other.arrays[name]
        assert array.dtype == theirs.dtype and array.shape == theirs.shape, name
        assert array.tobytes() == theirs.tobytes(), name
