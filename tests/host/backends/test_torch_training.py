"""Training on PyTorch: it learns, it repeats itself, it is the training of the golden model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import open_accelerator
from fractrain.host.methods.recipe import Recipe
from fractrain.host.training.trainer import DivergenceError, StepReport, Trainer
from tests.host.training.test_trainer import GATED, PLAN, STATIC, trainer_of

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make torch")
pytest.importorskip("array_api_compat", reason="array-api-compat is not installed: make torch")


def train(
    steps: int = 7, recipe: Recipe = STATIC, mode: str = "float", **changes: Any
) -> tuple[Trainer, list[StepReport]]:
    reports: list[StepReport] = []
    with open_accelerator("torch") as accelerator:
        plan = replace(PLAN, steps=steps, **changes)
        trainer = trainer_of(accelerator, plan, recipe, mode)
        trainer.train(reports.append)
    return trainer, reports


def fingerprint(trainer: Trainer) -> str:
    return trainer.arithmetic.weights_sha256(trainer.parameters())


def test_learns() -> None:
    reports: list[StepReport] = []
    with open_accelerator("torch") as accelerator:
        trainer = trainer_of(accelerator, replace(PLAN, steps=25))
        trainer.train(reports.append)
        assert np.mean([report.loss for report in reports[-5:]]) < 0.2
        assert trainer.evaluate() == 1.0


def test_the_same_seed_and_threads_give_the_same_weights() -> None:
    prints = [fingerprint(train(seed=seed)[0]) for seed in (3, 3, 4)]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize("threads", [1, 2])
def test_any_number_of_threads_repeats_itself(threads: int) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        assert fingerprint(train(3)[0]) == fingerprint(train(3)[0])
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("recipe", [STATIC, GATED])
@pytest.mark.parametrize("mode", ["float", "reference"])
@pytest.mark.parametrize("group", [None, 4])
def test_the_first_step_is_that_of_the_golden_model(
    recipe: Recipe, mode: str, group: int | None
) -> None:
    """Up to rounding in batch norm, and the random numbers of the backward pass."""
    trainers, losses = [], []
    for backend in ("torch", "golden"):
        reports: list[StepReport] = []
        with open_accelerator(backend) as accelerator:
            plan = replace(PLAN, steps=1, bn_group=group)
            trainer = trainer_of(accelerator, plan, recipe, mode)
            trainer.train(reports.append)
        losses.append(reports[0].loss)
        trainers.append(trainer)
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    for ours, golden in zip(*(each.network.parameters() for each in trainers), strict=True):
        one = trainers[0].accelerator.elementwise.to_host(ours.gradient).ravel()
        other = np.asarray(golden.gradient).ravel()
        if np.linalg.norm(other) > 1e-3:
            cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
            assert cosine > 0.8, ours.name


@pytest.mark.parametrize("recipe", [STATIC, GATED])
@pytest.mark.parametrize("mode", ["hardware", "float"])
def test_a_run_goes_on_from_its_state(recipe: Recipe, mode: str) -> None:
    whole, _ = train(6, recipe, mode)
    with open_accelerator("torch") as accelerator:
        plan = replace(PLAN, steps=6)
        first = trainer_of(accelerator, plan, recipe, mode)
        first.train(lambda _: None, until=3)
        second = trainer_of(accelerator, plan, recipe, mode)
        second.load(first.state())
        second.train(lambda _: None)
        assert fingerprint(second) == fingerprint(whole)


def test_divergence_is_reported() -> None:
    with pytest.raises(DivergenceError, match="training diverged: .* at step"):
        train(20, learning_rate=1e30)


def test_the_top_planes_of_what_is_stored(rng: np.random.Generator) -> None:
    a, w = rng.integers(0, 256, (2, 3, 6, 6)), rng.integers(-4, 4, (4, 3, 3, 3))
    e = rng.integers(-8, 8, (2, 4, 6, 6))
    with open_accelerator("torch") as ours, open_accelerator("golden") as golden:
        forward = ours.forward(a, w, (3, 3), padding=1, stored=8)
        gradient = ours.gradient(a, e, (3, 4), padding=1, kernel_size=3, stored=8)
        truth = golden.forward(a >> 5, w, (3, 3), padding=1)
        np.testing.assert_array_equal(ours.elementwise.to_host(forward), truth)
        truth = golden.gradient(a >> 5, e, (3, 4), padding=1, kernel_size=3)
        np.testing.assert_array_equal(ours.elementwise.to_host(gradient), truth)
