"""Runs on a machine that does whole steps end as on the executor, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.graph.choice import SKIP
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.methods.recipe import make_recipe
from fractrain.host.numerics.quantization import WeightLevels
from fractrain.host.numerics.step_math import StepMath
from fractrain.host.training.machine_trainer import MachineTrainer
from fractrain.hw.contract.precision import Precision
from tests.host.machine_step.trainers import Case, assert_same_state, make, on_golden, train


@pytest.fixture(scope="module")
def golden() -> Iterator[Accelerator]:
    with open_accelerator("golden") as accelerator:
        yield accelerator


SHORT_CHUNKS = IntegerOptions(chunk_rows=4 * 8)
"""Four images of 8 x 8 pixels, and more of smaller ones: batches of 6 end with a short chunk."""
MIXED = IntegerOptions(chunk_rows=16, residual_bits=12, mixing=77)
A, B, C = Precision(4, 3, 6), Precision(8, 8, 12), Precision(2, 2, 3)

CASES = {
    "static": Case(make_recipe("static", precision=A), options=SHORT_CHUNKS),
    "8/8/8": Case(make_recipe("static", precision=Precision(8, 8, 8)), levels=WeightLevels.MAX),
    "mixed statistics": Case(make_recipe("static", precision=B), options=MIXED),
    "scripted": Case(
        script=((A, B, C), (SKIP, A, B), (C, SKIP, SKIP), (SKIP, SKIP, SKIP), (B, C, A)),
        options=SHORT_CHUNKS,
        steps=7,
    ),
    "scripted, resnet14": Case(
        script=((A, SKIP, B, C, SKIP, A), (SKIP, SKIP, A, SKIP, SKIP, SKIP), (B, A) * 3),
        options=MIXED,
        model="resnet14",
        steps=4,
    ),
    "FracTrain": Case(
        make_recipe(
            "fractrain",
            interval=1,
            epsilon=1e9,
            candidates=((0, 0, 0), (3, 3, 6), (6, 6, 8)),
            targets=(1.0, 5.0),
            beta=30.0,
        ),
        options=SHORT_CHUNKS,
        steps=8,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_runs_end_alike(golden: Accelerator, case: Case) -> None:
    usual, whole = make(case, golden), make(case, golden, on_golden())
    assert isinstance(whole, MachineTrainer)
    for step in range(case.steps):
        assert train(usual, step + 1) == train(whole, step + 1)
        assert whole.arithmetic.state() == usual.arithmetic.state()
    assert whole.whole_steps == case.steps, "all of them on the machine"
    assert_same_state(whole.state(), usual.state())
    sha = [each.arithmetic.weights_sha256(each.parameters()) for each in (usual, whole)]
    assert sha[0] == sha[1]
    assert whole.evaluate() == usual.evaluate()


def test_by_the_definition_with_chunks_in_another_order(golden: Accelerator) -> None:
    """No faster form of the step's integers; the last chunk comes first."""
    case = CASES["FracTrain"]
    usual = make(case, golden)
    whole = make(case, golden, on_golden(StepMath(), lambda count: range(count)[::-1]))
    assert train(usual, 3) == train(whole, 3)
    assert_same_state(whole.state(), usual.state())


def test_what_was_always_zero_runs_layer_by_layer(golden: Accelerator) -> None:
    """With weights of one bit, −1 or 0, some tensors are nowhere above zero: no range, so no whole
    step. The weights go back and forth."""
    dead = Precision(1, 1, 1)
    case = Case(script=((A,) * 3, (dead,) * 3, (A,) * 3), options=SHORT_CHUNKS, steps=6)
    usual, whole = make(case, golden), make(case, golden, on_golden())
    assert isinstance(whole, MachineTrainer)
    assert train(usual) == train(whole)
    assert_same_state(whole.state(), usual.state())
    assert whole.whole_steps == 0
