"""A machine that does not give what it owes, and networks that it cannot do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator
from fractrain.host.arithmetic import IntegerArithmetic
from fractrain.host.graph.machine_records import NormKey, StepResults
from fractrain.host.graph.step import build_step
from fractrain.host.machine_step.layout import lay_out
from fractrain.host.machine_step.outline import Outline
from fractrain.host.numerics.quantization import WeightLevels
from fractrain.host.training.machine_trainer import MachineTrainer
from fractrain.host.training.trainer import DivergenceError
from fractrain.hw.contract.errors import MachineError, ParameterError
from tests.host.machine_step.golden_machine import GoldenMachine
from tests.host.machine_step.test_whole_runs import CASES, on_machine
from tests.host.machine_step.trainers import dataset, make, train

CASE = CASES["FracTrain, mixed"]
NORM = NormKey("stage1.block0.relu.form", 1)


def without(name: str, key: Any) -> Callable[[StepResults], StepResults]:
    def change(results: StepResults) -> StepResults:
        kept = {each: value for each, value in getattr(results, name).items() if each != key}
        assert len(kept) < len(getattr(results, name))
        return replace(results, **{name: kept})

    return change


def of_other_channels(results: StepResults) -> StepResults:
    found = results.moments[NORM]
    fewer = replace(found, error_total=found.error_total[:, 1:])
    return replace(results, moments={**results.moments, NORM: fewer})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without("peaks", "first.relu.form"), "no peak of first.relu.form"),
        (without("moments", NORM), "no moments of NormKey"),
        (without("pooled", "first.relu.form"), "no pooled sums of first.relu.form"),
        (without("weights", "first.weight"), "no greatest magnitude of first.weight"),
        (of_other_channels, "error_total of stage1.block0.relu.form has the shape"),
    ],
)
def test_what_is_missing_is_named(
    golden: Accelerator, change: Callable[[StepResults], StepResults], says: str
) -> None:
    class Failing(GoldenMachine):
        def backward(self, errors: Any, records: Any) -> StepResults:
            return change(super().backward(errors, records))

    trainer = make(CASE, golden, lambda case, of: Failing(of, case.options, of.step_math))
    with pytest.raises(MachineError, match=says):
        train(trainer, 1)


def test_a_loss_that_is_refused_leaves_all_as_it_was(golden: Accelerator) -> None:
    trainer = on_machine(CASE, golden)
    train(trainer, 1)
    before = trainer.state()
    bias = next(each for each in trainer.parameters() if each.name == "classifier.bias")
    bias.value = bias.value + np.array([np.inf, 0, 0])
    with pytest.raises(DivergenceError, match="the loss is"):
        train(trainer, 2)
    after = trainer.state()
    for name, array in before.arrays.items():
        if name != "parameter/classifier.bias":
            assert after.arrays[name].tobytes() == array.tobytes(), name
    assert after.document == before.document


def test_other_modes_have_no_whole_steps(golden: Accelerator) -> None:
    usual = make(CASE, golden)
    given = usual.network, dataset(), golden, usual.method, CASE.plan, IntegerArithmetic(golden)
    with pytest.raises(ParameterError, match="mode"):
        MachineTrainer(*given, machine=None)


def test_a_network_ends_with_one_pooling(golden: Accelerator) -> None:
    usual = make(CASE, golden)
    graph = usual.step_graph
    evaluation = build_step(usual.network, (2, 1, 8, 8), graph.options, training=False)
    with pytest.raises(ParameterError, match="Loss of the step: got 0"):
        Outline(evaluation)


def test_an_operation_without_a_handler_is_named(golden: Accelerator) -> None:
    usual = make(CASE, golden)
    graph = usual.step_graph

    class Unknown(type(graph.forward[0])):  # type: ignore[misc]
        pass

    unknown = Unknown("surprise", None, 0)
    other = replace(graph, forward=(unknown, *graph.forward))
    table = [slot.widest for slot in graph.slots]
    options = CASE.options
    with pytest.raises(ParameterError, match="operation surprise: got 'Unknown'"):
        lay_out(Outline(other), options, WeightLevels.CLIP, table)
