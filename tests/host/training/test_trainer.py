"""The loop: it learns, it repeats itself bit for bit, it stops when training diverges."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.arithmetic import (
    Arithmetic,
    IntegerArithmetic,
    IntegerStep,
    PublishedArithmetic,
)
from fractrain.host.backends.golden import GoldenAccelerator
from fractrain.host.datasets.dataset import Dataset
from fractrain.host.graph.step import build_outline
from fractrain.host.methods.method import Task
from fractrain.host.methods.recipe import Recipe, make_recipe
from fractrain.host.networks.parameter import weights_sha256
from fractrain.host.networks.registry import build_network
from fractrain.host.numerics.real_convolutions import RealConvolutions
from fractrain.host.training.summary import summarize
from fractrain.host.training.trainer import DivergenceError, Plan, StepReport, Trainer, TrainerState
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters, load_parameters
from fractrain.hw.contract.precision import Precision
from tests.hw.machines import machine

PLAN = Plan(
    steps=7,
    batch=8,
    seed=3,
    learning_rate=0.1,
    learning_rate_schedule="cosine",
    momentum=0.9,
    weight_decay=1e-4,
)


def stripes() -> Dataset:
    """Noisy horizontal and vertical stripes, two classes, 8x8 pixels."""
    rng = np.random.default_rng(0)
    labels = np.arange(64) % 2
    images = rng.integers(0, 100, (64, 1, 8, 8), np.uint8)
    images[labels == 0, :, ::2] += 120
    images[labels == 1, :, :, ::2] += 120
    return Dataset("stripes", 2, images[:40], labels[:40], images[40:], labels[40:])


STATIC = make_recipe("static", precision=Precision(4, 4, 6))


def gated(**options: Any) -> Recipe:
    """FracTrain whose stages follow each other quickly."""
    usual = {"interval": 1, "epsilon": 1e9, "candidates": ((0, 0), (3, 6), (6, 8))}
    return make_recipe("fractrain", **usual | options)


GATED = gated()


def trainer_of(
    accelerator: Accelerator, plan: Plan = PLAN, recipe: Recipe = STATIC, mode: str = "float"
) -> Trainer:
    dataset = stripes()
    network = build_network(
        "resnet8",
        channels=1,
        classes=2,
        rng=np.random.default_rng(plan.seed),
        group=plan.bn_group,
    )
    outline = build_outline(network, (1, 8, 8))
    method = recipe.build(
        Task(
            steps=plan.steps,
            steps_per_epoch=dataset.steps_per_epoch(plan.batch),
            widths=[block.channels for block in outline.blocks],
            macs=[outline.block_macs(block.number) for block in outline.blocks],
            mode=mode,
            rng=np.random.default_rng(1),
        )
    )
    arithmetic: Arithmetic = IntegerArithmetic(accelerator)
    if mode == "hardware":
        arithmetic = IntegerStep(accelerator)
    if mode == "reference":
        arithmetic = PublishedArithmetic(accelerator, dataset.moments())
    return Trainer(network, dataset, accelerator, method, plan, arithmetic)


def train(
    plan: Plan = PLAN,
    recipe: Recipe = STATIC,
    config: str | Parameters = "tiny",
    mode: str = "float",
) -> tuple[Trainer, list[StepReport]]:
    reports: list[StepReport] = []
    with open_accelerator("golden", config=config) as accelerator:
        trainer = trainer_of(accelerator, plan, recipe, mode)
        trainer.train(reports.append)
    return trainer, reports


@pytest.mark.parametrize(
    "recipe",
    [
        make_recipe("pfq", schedule_forward=(0, 4), schedule_backward=(0, 8)),
        gated(candidates=((0, 0), (3, 6)), targets=(0.1, 3.0)),
    ],
    ids=["all blocks", "by gates"],
)
def test_blocks_are_skipped_while_training(recipe: Recipe) -> None:
    """Their weights decay, and the others learn."""
    trainer, reports = train(replace(PLAN, steps=3), recipe)
    assert (0, 0, 0) in {bits for report in reports for bits in report.bits}
    before = train(replace(PLAN, steps=1), recipe)[0]
    weights, earlier = (
        {each.name: each.value for each in one.network.parameters()} for one in (trainer, before)
    )
    name = "stage0.block0.first.weight"
    ratio = weights[name] / earlier[name]
    assert np.ptp(ratio) < 1e-6 and 0.999 < ratio.mean() < 1
    assert np.ptp(weights["first.weight"] / earlier["first.weight"]) > 1e-3


def evaluate(trainer: Trainer, limit: int | None = None) -> float:
    with open_accelerator("golden") as accelerator:
        trainer.arithmetic = IntegerArithmetic(accelerator)
        return trainer.evaluate(limit)


def test_learns() -> None:
    trainer, reports = train(replace(PLAN, steps=25))
    assert [report.step for report in reports] == list(range(25))
    assert np.mean([report.loss for report in reports[-5:]]) < 0.2
    assert evaluate(trainer) == 1.0
    assert evaluate(trainer, limit=3) == 1.0


def test_the_same_seed_gives_the_same_weights() -> None:
    def fingerprint(plan: Plan) -> str:
        return weights_sha256(train(plan)[0].network.parameters())

    assert fingerprint(PLAN) == fingerprint(PLAN)
    assert fingerprint(PLAN) != fingerprint(replace(PLAN, seed=4))


def test_the_number_of_threads_does_not_show(project_root: Path) -> None:
    code = (
        "from tests.host.training.test_trainer import *;"
        "print(weights_sha256(train(replace(PLAN, steps=2))[0].network.parameters()))"
    )
    prints = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=project_root,
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads, "PYTHONPATH": str(project_root)},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(prints) == 1
    assert len(prints.pop().strip()) == 64


def test_epochs_end_where_the_images_do() -> None:
    """40 images are 5 steps of 8."""
    _, reports = train(replace(PLAN, steps=12))
    assert [report.epoch for report in reports] == [0] * 5 + [1] * 5 + [2] * 2


def test_stages_change_what_is_executed() -> None:
    recipe = make_recipe("pfq", schedule_forward=(2, 8), schedule_backward=(4, 8), epsilon=1e9)
    trainer, reports = train(replace(PLAN, steps=27), recipe)
    assert {bits for report in reports[:25] for bits in report.bits} == {(2, 2, 4)}
    assert {bits for report in reports[25:] for bits in report.bits} == {(8, 8, 8)}
    assert [report.stage for report in reports] == [0] * 25 + [1] * 2
    assert reports[0].costs.cp == pytest.approx(100 * (4 + 8 + 8) / 3 / 1024)
    assert reports[-1].costs.cp == 6.25
    assert sum(report.costs.executed for report in reports) == trainer.costs.executed
    summary = summarize(trainer, backend="golden", config="tiny", test_accuracy=0.5, test_images=24)
    assert [stage["first_step"] for stage in summary["stages"]] == [0, 25]
    assert [stage["first_epoch"] for stage in summary["stages"]] == [0, 5]
    assert summary["test_accuracy"] == 50
    assert summary["effective_macs"] < summary["effective_macs_fw8bw8"]
    saving = 1 - summary["effective_macs"] / summary["effective_macs_fw8bw8"]
    assert summary["saving"] == pytest.approx(saving)


def test_gates_choose_and_the_cost_is_that_of_their_choice() -> None:
    trainer, reports = train(replace(PLAN, steps=30), GATED)
    gates = trainer.method.selector
    chosen = {bits for report in reports for bits in report.bits}
    assert chosen <= {(0, 0, 0), (3, 4, 6), (6, 4, 8)}
    assert reports[-1].costs.cp == pytest.approx(gates.cp)
    assert {report.target_cp for report in reports} == {1.5, 2.0, 2.5, 3.0}
    assert all(np.abs(each.gradient).max() > 0 for each in gates.parameters())
    assert evaluate(trainer, limit=24) >= 0


def test_gates_are_part_of_the_fingerprint() -> None:
    trainer, _ = train(replace(PLAN, steps=2), GATED)
    names = [parameter.name for parameter in trainer.parameters()]
    network = [parameter.name for parameter in trainer.network.parameters()]
    assert names[: len(network)] == network
    assert names[len(network)] == "gate0.first.weight"
    assert names[-1] == "gates.decide.bias"


@pytest.mark.parametrize("recipe", [STATIC, GATED], ids=["static", "gated"])
def test_reference_mode_learns_too(recipe: Recipe) -> None:
    trainer, reports = train(replace(PLAN, steps=25), recipe, mode="reference")
    assert np.mean([report.loss for report in reports[-5:]]) < 0.4
    assert 0 < trainer.costs.executed < trainer.costs.baseline


def test_ghost_batches_change_what_is_learned() -> None:
    def fingerprint(group: int | None) -> str:
        return weights_sha256(train(replace(PLAN, bn_group=group))[0].parameters())

    assert fingerprint(None) == fingerprint(8) != fingerprint(4)


@pytest.mark.parametrize("mode", ["hardware", "reference"])
@pytest.mark.parametrize(
    "recipe",
    [
        STATIC,
        make_recipe("pfq", interval=1, epsilon=1e9),
        make_recipe("dfq", candidates=((0, 0), (3, 6), (6, 8))),
        GATED,
    ],
    ids=lambda recipe: recipe.method,
)
def test_a_run_goes_on_from_any_state_bit_for_bit(recipe: Recipe, mode: str) -> None:
    """Through arrays and JSON, in the middle of an epoch and at its end."""
    plan = replace(PLAN, steps=4, batch=16)  # two steps to an epoch
    whole, reports = train(plan, recipe, mode=mode)
    for cut in (1, 2):
        first: list[StepReport] = []
        with open_accelerator("golden") as accelerator:
            trainer = trainer_of(accelerator, plan, recipe, mode)
            trainer.train(first.append, until=cut)
            state = trainer.state()
            trainer.train(lambda report: None)  # must not change the state that was taken
            document = json.loads(json.dumps(state.document))
            trainer = trainer_of(accelerator, plan, recipe, mode)
            trainer.load(TrainerState(state.arrays, document))
            trainer.train(first.append)
        assert weights_sha256(trainer.parameters()) == weights_sha256(whole.parameters())
        assert trainer.costs.state() == whole.costs.state()
        for one, other in zip(first, reports, strict=True):
            assert (one.step, one.loss, one.bits) == (other.step, other.loss, other.bits)
        for a, b in zip(trainer.network.statistics(), whole.network.statistics(), strict=True):
            np.testing.assert_array_equal(a.value, b.value)


def test_a_state_of_something_else_is_refused() -> None:
    with open_accelerator("golden") as accelerator:
        state = trainer_of(accelerator, recipe=GATED).state()
        with pytest.raises(ParameterError, match="state: got 'parameter/gate0"):
            trainer_of(accelerator).load(state)


def test_fw8bw8_saves_nothing() -> None:
    trainer, _ = train(recipe=make_recipe("static", precision=Precision(8, 8, 8)))
    assert trainer.costs.executed == trainer.costs.baseline > 0
    assert trainer.costs.saving == 0


def test_divergence_is_an_error_that_helps() -> None:
    with pytest.raises(DivergenceError, match=r"at step \d+; try a learning rate below 1e\+12"):
        train(replace(PLAN, learning_rate=1e12, steps=20))


@pytest.mark.parametrize(
    "recipe",
    [
        make_recipe("pfq"),
        make_recipe("static", precision=Precision(2, 2, 2)),
        make_recipe("dfq", candidates=((3, 6), (4, 6))),
    ],
    ids=["schedule", "first convolution", "stored activations"],
)
def test_widths_that_the_machine_lacks_are_refused_at_once(recipe: Recipe) -> None:
    narrow = machine(precision__max_bits=6)
    with pytest.raises(ParameterError, match=r"got 8, allowed: a whole number of bits, [01]\.\.6"):
        train(recipe=recipe, config=narrow)


def test_reference_mode_needs_real_convolutions() -> None:
    class IntegersOnly(GoldenAccelerator):
        def real_convolutions(self) -> RealConvolutions:
            return Accelerator.real_convolutions(self)

    with pytest.raises(ParameterError, match="mode: got 'reference', allowed: hardware or float"):
        trainer_of(IntegersOnly(load_parameters("tiny")), mode="reference")


def test_batch_larger_than_the_data() -> None:
    with pytest.raises(ParameterError, match=r"batch: got 41, allowed: 1\.\.40"):
        train(replace(PLAN, batch=41))
