"""The loop: it learns, it repeats itself bit for bit, it stops when training diverges."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from host.accelerator import open_accelerator
from host.datasets.dataset import Dataset
from host.networks.parameter import weights_sha256
from host.networks.resnet import build_network
from host.training.methods import Method, ProgressiveMethod, StaticMethod
from host.training.summary import summarize
from host.training.trainer import DivergenceError, Plan, StepReport, Trainer
from hw.contract.errors import ParameterError
from hw.contract.parameters import Parameters, load_parameters
from hw.contract.precision import Precision

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


def train(
    plan: Plan = PLAN, method: Method | None = None, config: str | Parameters = "tiny"
) -> tuple[Trainer, list[StepReport]]:
    dataset = stripes()
    network = build_network("resnet8", channels=1, classes=2, rng=np.random.default_rng(plan.seed))
    reports: list[StepReport] = []
    with open_accelerator("golden", config=config) as accelerator:
        trainer = Trainer(
            network, dataset, accelerator, method or StaticMethod(Precision(4, 4, 6)), plan
        )
        trainer.train(reports.append)
    return trainer, reports


def evaluate(trainer: Trainer, limit: int | None = None) -> float:
    with open_accelerator("golden") as accelerator:
        trainer.accelerator = accelerator
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
    """40 images are 5 steps of 8: the method hears of steps 5, 10, … and of no unfinished epoch."""
    heard: list[tuple[float, int]] = []

    class Listening(StaticMethod):
        def end_epoch(self, loss: float, next_step: int) -> None:
            heard.append((loss, next_step))

    _, reports = train(replace(PLAN, steps=12), Listening(Precision(4, 4, 6)))
    losses = [report.loss for report in reports]
    assert heard == [
        (pytest.approx(np.mean(losses[:5])), 5),
        (pytest.approx(np.mean(losses[5:10])), 10),
    ]


def test_stages_change_what_is_executed() -> None:
    method = ProgressiveMethod([2, 8], [4, 8], epsilon=1e9)
    trainer, reports = train(replace(PLAN, steps=27), method)
    assert {report.precision for report in reports[:25]} == {Precision(2, 2, 4)}
    assert {report.precision for report in reports[25:]} == {Precision(8, 8, 8)}
    summary = summarize(trainer, backend="golden", config="tiny", test_accuracy=0.5, test_images=24)
    assert [stage["first_step"] for stage in summary["stages"]] == [0, 25]
    assert [stage["first_epoch"] for stage in summary["stages"]] == [0, 5]
    assert summary["test_accuracy"] == 50
    assert summary["effective_macs"] < summary["effective_macs_fw8bw8"]
    saving = 1 - summary["effective_macs"] / summary["effective_macs_fw8bw8"]
    assert summary["saving"] == pytest.approx(saving)


def test_fw8bw8_saves_nothing() -> None:
    trainer, _ = train(method=StaticMethod(Precision(8, 8, 8)))
    assert trainer.costs.executed == trainer.costs.baseline > 0
    assert trainer.costs.saving == 0


def test_divergence_is_an_error_that_helps() -> None:
    with pytest.raises(DivergenceError, match=r"at step \d+; try a learning rate below 1e\+12"):
        train(replace(PLAN, learning_rate=1e12, steps=20))


@pytest.mark.parametrize(
    "build",
    [lambda: ProgressiveMethod(), lambda: StaticMethod(Precision(2, 2, 2))],
    ids=["schedule", "first convolution"],
)
def test_widths_that_the_machine_lacks_are_refused_at_once(build: Callable[[], Method]) -> None:
    parameters = load_parameters("tiny")
    narrow = replace(parameters, precision=replace(parameters.precision, max_bits=6))
    with pytest.raises(ParameterError, match=r"got 8, allowed: a whole number of bits, 1\.\.6"):
        train(method=build(), config=narrow)


def test_batch_larger_than_the_data() -> None:
    with pytest.raises(ParameterError, match=r"batch: got 41, allowed: 1\.\.40"):
        train(replace(PLAN, batch=41))
