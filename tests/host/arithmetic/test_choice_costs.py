"""The figures of "What each choice costs": those of a step on digits, and what they say of known
cases; the tool has those of CIFAR-10."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import open_accelerator
from fractrain.host.datasets import load_dataset
from fractrain.host.execution import Run
from fractrain.host.graph import operations as ops
from fractrain.host.graph.operations import Operation
from fractrain.host.runs.options import RunOptions
from fractrain.host.runs.setup import build_arithmetic, build_recipe, prepare
from fractrain.host.training.trainer import Trainer
from fractrain.hw.contract.normalized import WIDE, inner_format
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.random_bits import rounding_key
from fractrain.sim.golden.random_bits import random_bytes
from fractrain.sim.golden.step import backward, forward
from tests.host.arithmetic.choice_costs import (
    KEPT,
    RANGES,
    Growth,
    Observed,
    observe,
    outliers,
    report,
)
from tests.host.arithmetic.norm_costs import Norm

pytest.importorskip("sklearn")

GIVEN = RunOptions(
    batch=8,
    steps=2,
    method="static",
    method_options={"precision": Precision(4, 4, 6)},
)


@pytest.fixture
def trainer() -> Iterator[Trainer]:
    work = prepare(GIVEN, build_recipe(GIVEN, {}), load_dataset("digits"))
    with open_accelerator("golden") as accelerator:
        arithmetic = build_arithmetic(GIVEN, accelerator, work.dataset)
        yield Trainer(work.network, work.dataset, accelerator, work.method, work.plan, arithmetic)


def trained(trainer: Trainer, until: int) -> str:
    trainer.train(lambda report: None, until=until)
    return trainer.arithmetic.weights_sha256(trainer.parameters())


class Checked(Observed):
    """Compares the errors of each batch norm with those of the step."""

    def __call__(self, operation: Operation, run: Run) -> None:
        super().__call__(operation, run)
        if isinstance(operation, ops.Apply):
            found, norm = run.value(operation.q), self.norms[-1]
            images, channels, height, width = norm.e.shape
            key = rounding_key(*run.rounding, operation.number)
            random = random_bytes(key, images, channels, height * width).reshape(norm.e.shape)
            wide = norm.wide_error(norm.form, found.bits)
            same = backward.round_errors(wide, found.bits, random)
            np.testing.assert_array_equal(found.integers, same, err_msg=norm.name)


def test_what_is_measured_is_the_step_that_comes_next(trainer: Trainer) -> None:
    """Integer by integer."""
    trained(trainer, 1)
    norms = observe(GIVEN, trainer, Checked())
    assert len(norms) == 9
    assert {each.stage for each in norms} == {"first", "stage0", "stage1", "stage2"}


def test_a_look_leaves_no_trace(trainer: Trainer) -> None:
    trained(trainer, 1)
    observe(GIVEN, trainer, Observed())
    seen = trained(trainer, 2)
    work = prepare(GIVEN, build_recipe(GIVEN, {}), load_dataset("digits"))
    arithmetic = build_arithmetic(GIVEN, trainer.accelerator, work.dataset)
    other = Trainer(
        work.network, work.dataset, trainer.accelerator, work.method, work.plan, arithmetic
    )
    assert trained(other, 2) == seen


def norm(y: Any) -> Norm:
    """One channel of one chunk, γ = 1, β = 0.3, at an error that is no multiple of 1 or x̂."""
    y = np.asarray(y, np.int64).reshape(1, 1, 1, -1)
    e = np.arange(y.size).reshape(y.shape) ** 2 % 1001
    by = forward.normalizer(forward.moments(y, 1))
    one = np.ones(1)
    return Norm("a.b", y, 1, by, 1e-3, inner_format(8), one, 0.3 * one, e, 1e-3, 20.0)


def test_an_outlier_is_seen_and_clipped() -> None:
    """Of 400 numbers one lies at 7σ, and one just below −4σ, which the rectifier takes: within ±8σ
    nothing is clipped, within ±4σ the first is."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=400)
    y[:2] = 7.5, -4.7
    found = norm(2000 * y)
    assert np.sum(found.deviations() > 4) == 2 and 6 < found.deviations().max() < 8
    assert outliers([found]).splitlines()[-1] == (
        f"| a | 0.5000 % | 0.0000 % | {found.deviations().max():.1f}σ |"
    )
    wide, clipped = (inner_format(10, each) for each in (4, 3))
    assert found.activations_error(wide, 8) < 0.02
    lost = (found.deviations().max() - 4) / np.linalg.norm(found.rectified())
    assert found.activations_error(clipped, 8) == pytest.approx(lost, rel=0.05)


def test_more_bits_err_less() -> None:
    rng = np.random.default_rng(1)
    found = norm(2000 * rng.normal(size=400))
    errors = [found.error_error(inner_format(bits)) for bits in (4, 7, 11)]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.002 < errors[0]
    formed = [found.activations_error(form, 8) for form in (inner_format(4), inner_format(7), WIDE)]
    assert formed == sorted(formed, reverse=True) and formed[-1] < 0.01 < formed[0]
    rounded = [found.rounding_error(bits, 0) for bits in (4, 6, 8)]
    assert rounded == sorted(rounded, reverse=True)


def test_saturation_is_in_shares_of_the_greatest_word() -> None:
    """A doubles with the step of the error, up to what saturates."""
    rng = np.random.default_rng(2)
    found = norm(2000 * rng.normal(size=400))
    a, b = found.saturation(8)
    assert 0 < a < 1 and 0 < b < 1
    narrow = Norm(**vars(found) | {"e_step": 2 * found.e_step})
    assert narrow.saturation(8) == pytest.approx((2 * a, 2 * b), rel=1e-2)
    beyond = Norm(**vars(found) | {"e_step": 1e6})
    assert beyond.saturation(8)[0] == pytest.approx(1, rel=1e-4)


def test_growth_is_from_a_step_to_the_next_that_has_the_tensor() -> None:
    found = Growth({"a": "sums", "b": "z"})
    for ranges in ({"a": 1.0}, {"a": 3.0, "b": 1.0}, {"a": 1.5, "b": 4.0}):
        found.add(ranges)
    assert found.ratios == {"sums": [3.0, 0.5], "z": [4.0]}


def test_the_tables() -> None:
    """All of them, of a short run."""
    text = report(GIVEN, [1])
    tables = [part for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) == 7
    for table in tables:
        heads, _, *rows = table.splitlines()
        assert rows and all(row.count("|") == heads.count("|") for row in rows)
    assert len(tables[3].splitlines()) == 2 + len(KEPT)
    assert all(f"| {kind} |" in tables[-1] for kind in RANGES.values())
