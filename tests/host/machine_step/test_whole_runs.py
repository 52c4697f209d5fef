"""Runs on a machine that does whole steps end as on the executor, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator
from fractrain.host.graph.choice import SKIP
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.methods.recipe import Recipe, make_recipe
from fractrain.host.numerics.quantization import WeightLevels
from fractrain.host.numerics.step_math import StepMath
from fractrain.host.training.machine_trainer import MachineTrainer
from fractrain.hw.contract.precision import Precision
from tests.host.machine_step.trainers import Case, assert_same_state, make, on_golden, train

SHORT_CHUNKS = IntegerOptions(chunk_rows=4 * 8)
"""Four images of 8 x 8 pixels, and more of smaller ones: batches of 6 end with a short chunk."""
MIXED = IntegerOptions(chunk_rows=16, residual_bits=12, mixing=77)
A, B, C = Precision(4, 3, 6), Precision(8, 8, 12), Precision(2, 2, 3)


def fractrain(*targets: float) -> Recipe:
    """Gates that move at once, and stages that follow each other quickly."""
    candidates = (0, 0, 0), (3, 3, 6), (6, 6, 8)
    quick = {"interval": 1, "epsilon": 1e9, "beta": 3.0}
    return make_recipe("fractrain", candidates=candidates, targets=targets, **quick)


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
    "FracTrain, skipping": Case(fractrain(1.0, 5.0), options=SHORT_CHUNKS, steps=8),
    "FracTrain, mixed": Case(fractrain(2.6), options=SHORT_CHUNKS, steps=8),
}


def on_machine(case: Case, golden: Accelerator, **named: Any) -> MachineTrainer:
    found = make(case, golden, on_golden(**named))
    assert isinstance(found, MachineTrainer)
    return found


@pytest.mark.parametrize("name", CASES)
def test_runs_end_alike(golden: Accelerator, name: str) -> None:
    case = CASES[name]
    usual, whole = make(case, golden), on_machine(case, golden)
    log = []
    for step in range(case.steps):
        log += train(usual, step + 1)
        assert train(whole, step + 1) == log[-1:]
        assert whole.arithmetic.state() == usual.arithmetic.state()
    assert whole.whole_steps == case.steps, "all of them on the machine"
    assert_same_state(whole.state(), usual.state())
    sha = [each.arithmetic.weights_sha256(each.parameters()) for each in (usual, whole)]
    assert sha[0] == sha[1]
    assert whole.evaluate() == usual.evaluate()
    chosen = {tuple(int(bits[0]) for bits in report["bits"]) for report in log}
    if "skipping" in name:
        assert len(chosen) > 1 and (0, 0, 0) in chosen
    if "mixed" in name and case.recipe is not None and case.recipe.kind.name == "fractrain":
        assert any(len(set(blocks)) > 1 for blocks in chosen), "blocks differ in a step"


def test_by_the_definition_with_chunks_in_another_order(golden: Accelerator) -> None:
    """No faster form of the step's integers; the last chunk comes first."""
    case = CASES["FracTrain, mixed"]
    usual = make(case, golden)
    whole = on_machine(case, golden, math=StepMath(), order=lambda count: range(count)[::-1])
    assert train(usual, 3) == train(whole, 3)
    assert_same_state(whole.state(), usual.state())


def test_a_run_goes_on_from_the_checkpoint_of_either(golden: Accelerator) -> None:
    case = CASES["scripted"]
    usual, whole = make(case, golden), on_machine(case, golden)
    train(usual, 2), train(whole, 2)
    checkpoints = usual.state(), whole.state()
    train(usual)
    for checkpoint in checkpoints:
        resumed = on_machine(case, golden)
        resumed.load(checkpoint)
        train(resumed)
        assert_same_state(resumed.state(), usual.state())
        # and once more, in a trainer whose machine has other weights
        resumed.load(checkpoint)
        train(resumed, 4)
        assert resumed.state().arrays.keys() == usual.state().arrays.keys()
        train(resumed)
        assert_same_state(resumed.state(), usual.state())


DEAD = "stage0.block0.first.norm.beta"
"""With this far below zero, nothing gets through the block's first rectifier."""


def test_what_was_always_zero_is_measured_layer_by_layer(golden: Accelerator) -> None:
    """A tensor without a range: no whole step. Weights come and go between machine and executor."""
    case = CASES["static"]
    usual, whole = make(case, golden), on_machine(case, golden)
    for trainer in (usual, whole):
        beta = next(each for each in trainer.parameters() if each.name == DEAD)
        beta.value = beta.value - 20.0
    assert train(usual, 2) == train(whole, 2)
    assert whole.whole_steps == 0
    for trainer in (usual, whole):
        beta = next(each for each in trainer.parameters() if each.name == DEAD)
        beta.value = beta.value + 20.0
    assert train(usual, 3) == train(whole, 3)
    assert whole.whole_steps == 0, "in which it comes alive"
    assert train(usual) == train(whole)
    assert whole.whole_steps == 1
    assert_same_state(whole.state(), usual.state())


def test_a_step_layer_by_layer_between_whole_ones(golden: Accelerator) -> None:
    """The executor gets the machine's weights, and the machine the executor's."""
    case = CASES["static"]
    usual, whole = make(case, golden), on_machine(case, golden)
    done = []
    for step in range(1, case.steps + 1):
        if step == 2:
            for trainer in (usual, whole):
                ranges = trainer.arithmetic.state()
                trainer.arithmetic.load(ranges | dict.fromkeys(list(ranges)[-3:], 0.0))
        assert train(usual, step) == train(whole, step)
        done.append(whole.whole_steps)
    assert done == [1, 1, 2, 3]
    assert_same_state(whole.state(), usual.state())


@pytest.mark.parametrize("seed", range(6))
def test_any_ranges_will_do(golden: Accelerator, seed: int) -> None:
    """From 1e-30 to 1e30: what is clipped in a record is what saturates, or is shifted off."""
    rng = np.random.default_rng(seed)
    choices = tuple(
        tuple(Precision(*map(int, rng.integers(1, (9, 9, 13)))) for _ in range(3)) for _ in range(2)
    )
    options = IntegerOptions(
        chunk_rows=32,
        residual_bits=int(rng.integers(8, 17)),
        mixing=int(rng.integers(256)),
        inner=tuple(map(int, rng.integers(4, 12, 8))),
        outer=tuple(map(int, rng.integers(4, 9, 8))),
    )
    case = Case(script=choices, options=options, steps=2, rate=float(10 ** rng.uniform(-30, 0)))
    usual, whole = make(case, golden), on_machine(case, golden)
    executor = usual._executor(case.batch, training=True)
    names = [each.range_name for each in executor.graph.operations if hasattr(each, "range_name")]
    ranges = {name: float(10 ** rng.uniform(-30, 30)) for name in names}
    for trainer in (usual, whole):
        trainer.arithmetic.load(ranges)
    assert train(usual, 1) == train(whole, 1)
    assert whole.whole_steps == 1
    assert_same_state(whole.state(), usual.state())
