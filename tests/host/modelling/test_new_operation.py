"""Operations of one's own: cost, compiler and report meet them, or refuse them by name."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fractrain.host.backends.programs import Programs
from fractrain.host.compiler.pieces import STEPS
from fractrain.host.graph import operations as ops
from fractrain.host.graph.backward import Errors, WayBack, rule
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.choice import fixed_choices
from fractrain.host.graph.effective_macs import EffectiveMacs
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.step import StepGraph, build_step
from fractrain.host.graph.tensor import Tensor
from fractrain.host.modelling import StepModel
from fractrain.host.modelling import host_kinds as kinds
from fractrain.host.modelling.counting import Counting
from fractrain.host.modelling.host_work import count_host_work, count_operations
from fractrain.host.modelling.operation_work import WORK
from fractrain.host.modelling.step_model import ON_MACHINE
from fractrain.host.networks.parameter import Statistic
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Precision
from tests.host.modelling.steps import CHANNELS, Layers, layers_step

TINY = load_parameters("tiny")
FOUR = Precision(4, 4, 4)
CHOICES = fixed_choices([FOUR])


@dataclass(frozen=True, eq=False)
class Negate(ops.Operation):
    """y = −x, done by the host."""

    x: Tensor
    y: Tensor
    reads: ClassVar[tuple[str, ...]] = ("x",)
    makes: ClassVar[tuple[str, ...]] = ("y",)


class NobodyKnows(Negate):
    """The same, which nobody who counts has been told of."""


@rule(Negate, NobodyKnows, through=["x"])
def _way_back(way: WayBack, operation: Negate, e: Tensor) -> Errors:
    dx = way.builder.tensor(f"{operation.name}.back", e.shape)
    way.builder.emit(Negate(dx.name, operation.slot, e, dx))
    return [(operation.x, dx)]


@WORK.register(Negate)
def _negate(counting: Counting, operation: Negate) -> None:
    counting.add(kinds.RECTIFY, math.prod(operation.x.shape))


ON_MACHINE.register(Negate)(False)


class Correlate(ops.Convolve):
    """A product of its own kind, done by the machine as a convolution is."""


class Divide(Correlate):
    """One that it cannot do."""


WORK.register(Correlate)(WORK.of(next(layers_step().convolutions)))
ON_MACHINE.register(Correlate)(True)
STEPS.register(Correlate)(STEPS.of(next(layers_step().convolutions)))


def negated(kind: type[Negate]) -> Any:
    def extra(builder: Builder, x: Tensor) -> Tensor:
        y = builder.tensor("negate.y", x.shape)
        builder.emit(kind("negate", None, x, y))
        return y

    return extra


def step_with(extra: Any = Layers.extra) -> StepGraph:
    return build_step(Layers(extra=extra), (2, CHANNELS, 8, 8), StepOptions((FOUR,)))


def with_convolution(kind: type[ops.Convolve]) -> StepGraph:
    """The usual step, its forward convolution of another kind."""
    step = layers_step(options=StepOptions((FOUR,)))

    def change(each: ops.Operation) -> ops.Operation:
        return kind(**vars(each)) if isinstance(each, ops.Convolve) else each

    return replace(step, forward=tuple(map(change, step.forward)))


def test_the_hosts_work_counts_what_it_knows(tmp_path: Path) -> None:
    plain, more = (count_host_work(step, CHOICES, TINY) for step in steps())
    added = more.elements[kinds.RECTIFY] - plain.elements[kinds.RECTIFY]
    assert added == 2 * 2 * CHANNELS * 8 * 8, "there and back"
    # and the machine's cost is the same
    one, other = (StepModel(TINY, step, folder=tmp_path).cost(CHOICES) for step in steps())
    assert one == other


def steps() -> tuple[StepGraph, StepGraph]:
    return step_with(), step_with(negated(Negate))


def test_what_nobody_knows_is_refused_by_name(tmp_path: Path) -> None:
    step = step_with(negated(NobodyKnows))
    with pytest.raises(ParameterError, match="operation negate: got 'NobodyKnows', .*step model"):
        StepModel(TINY, step, folder=tmp_path)
    with pytest.raises(ParameterError, match="got 'NobodyKnows', .*count of the host's work"):
        count_operations(step, CHOICES)


def test_a_product_costs_is_compiled_and_is_reported(tmp_path: Path) -> None:
    plain, step = layers_step(options=StepOptions((FOUR,))), with_convolution(Correlate)
    cost, usual = (StepModel(TINY, each, folder=tmp_path).cost(CHOICES) for each in (step, plain))
    assert cost == usual and cost.cycles > 0
    macs, usual_macs = EffectiveMacs(), EffectiveMacs()
    macs.add_step(step, CHOICES)
    usual_macs.add_step(plain, CHOICES)
    assert macs.state() == usual_macs.state()
    programs = Programs(TINY, lambda: 0)
    programs.prepare(step)
    assert programs.compilations == len(list(step.pieces))
    assert count_host_work(step, CHOICES, TINY) == count_host_work(plain, CHOICES, TINY)


def test_a_product_that_the_machine_cannot_do_is_refused_by_name(tmp_path: Path) -> None:
    step = with_convolution(Divide)
    with pytest.raises(ParameterError, match=r"layer0\.forward: got 'Divide', .*the step model"):
        StepModel(TINY, step, folder=tmp_path)
    with pytest.raises(ParameterError, match=r"layer0\.forward: got 'Divide', .*the compiler"):
        Programs(TINY, lambda: 0).prepare(step)


def test_every_convolution_of_a_network_costs(tmp_path: Path) -> None:
    """A branch outside of all blocks, of the weights of the layer before."""

    def branch(builder: Builder, x: Tensor) -> Tensor:
        slot = builder.outside.chosen
        extent = builder.measure("branch.range", x, Statistic("branch.range"))
        a = builder.activations("branch.a", x, extent, slot)
        y = builder.convolve("branch", a, layers.weights[0], 1, 1, slot)
        return builder.add("branch.add", y, x)

    layers = Layers(extra=branch)
    step = build_step(layers, (2, CHANNELS, 8, 8), StepOptions((FOUR,)))
    with_branch = StepModel(TINY, step, folder=tmp_path).cost(CHOICES).busy_cycles
    plain = StepModel(TINY, step_with(), folder=tmp_path)
    eight = plain.uniform_cost(Precision(8, 8, 8)).busy_cycles
    assert with_branch == plain.cost(CHOICES).busy_cycles + eight
