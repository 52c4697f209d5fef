"""The integer step beside the float one, its history, and what an evaluation depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.arithmetic import Arithmetic, IntegerArithmetic, IntegerStep
from fractrain.host.arithmetic.history import History
from fractrain.host.arithmetic.step_values import GradientSums
from fractrain.host.execution import Executor, Run, step_options
from fractrain.host.graph import operations as ops
from fractrain.host.graph.integer_options import INNER, OUTER, IntegerOptions
from fractrain.host.graph.step import build_step
from fractrain.host.networks.network import Network
from fractrain.host.networks.registry import build_network
from fractrain.host.networks.selection import FixedSelector
from fractrain.host.numerics.counter_numbers import counter_numbers
from fractrain.host.numerics.random_streams import Stream
from fractrain.host.numerics.step_math import StepMath
from fractrain.hw.contract.precision import Precision

WIDE, COARSE = Precision(8, 8, 12), Precision(4, 4, 6)
IMAGES = (16, 3, 12, 12)
BATCH = IntegerOptions(chunk_rows=None, inner=(11,) * 8, outer=(8,) * 8, residual_bits=16)


@pytest.fixture
def golden() -> Iterator[Accelerator]:
    with open_accelerator("golden") as accelerator:
        yield accelerator


def network() -> Network:
    rng = counter_numbers(1, Stream.WEIGHTS)
    return build_network("resnet8", channels=3, classes=4, rng=rng)


def batch() -> dict[str, Any]:
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, IMAGES).astype(np.uint8)
    return {"images": images, "labels": np.arange(IMAGES[0]) % 4}


class Stepping:
    """A network with one arithmetic, step after step without updates."""

    def __init__(self, arithmetic: Arithmetic, *precisions: Precision) -> None:
        self.network, self.arithmetic = network(), arithmetic
        arithmetic.adopt(self.network)
        self.selector = FixedSelector(*(precisions or (WIDE,)))
        self.executor = self.make(IMAGES, training=True)

    def make(
        self,
        images: tuple[int, int, int, int],
        *,
        training: bool,
        observer: Callable[[ops.Operation, Run], None] | None = None,
    ) -> Executor:
        options = step_options(self.selector, self.arithmetic)
        graph = build_step(self.network, images, options, training=training)
        return Executor(graph, self.network, self.arithmetic, self.selector, observer)

    def step(self, number: int = 0) -> Run:
        rounding, given = self.arithmetic.rounding(5, number), batch()
        if self.arithmetic.measures and not self.executor.is_known():
            run = self.executor.forward(given, rounding, measuring=True)
            self.executor.backward(run)
            self.arithmetic.measured()
        run = self.executor.forward(given, rounding)
        self.executor.backward(run)
        return run

    def gradients(self) -> dict[str, np.ndarray[Any, Any]]:
        found = {}
        for each in self.network.parameters():
            value = each.gradient
            if isinstance(value, GradientSums):
                value = value.sums * value.scale
            found[each.name] = np.asarray(value, np.float64)
        return found


def distance(one: Any, other: Any) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


def error(stepping: Stepping, truth: dict[str, Any]) -> float:
    """Mean relative distance of the gradients of weights to the ``truth``."""
    stepping.step()
    found = stepping.gradients()
    return float(
        np.mean([distance(found[each], truth[each]) for each in found if "weight" in each])
    )


@pytest.mark.parametrize(
    "precision", [WIDE, Precision(6, 6, 6), COARSE, Precision(3, 3, 6)], ids=str
)
def test_gradients_are_as_good_as_with_float_surroundings(
    golden: Accelerator, precision: Precision
) -> None:
    """Against 16 bits everywhere inside the blocks: 0.18 at 8/8/12, 1 at 3/3/6, in either way; with
    the whole batch as chunk, because float surroundings have that."""
    exact = Stepping(IntegerArithmetic(golden), Precision(16, 16, 16))
    exact.step()
    truth = exact.gradients()
    usual = error(Stepping(IntegerArithmetic(golden), precision), truth)
    integers = error(Stepping(IntegerStep(golden, options=BATCH), precision), truth)
    assert integers < 1.1 * usual
    narrow = replace(BATCH, inner=INNER, outer=OUTER, residual_bits=8)
    assert error(Stepping(IntegerStep(golden, options=narrow), precision), truth) < 1.2 * usual


@pytest.mark.parametrize("precision", [COARSE, Precision(5, 5, 5)], ids=str)
def test_clipping_what_is_rare_brings_gradients_closer(
    golden: Accelerator, precision: Precision
) -> None:
    """With few bits: to those at 16 bits everywhere."""
    exact = Stepping(IntegerArithmetic(golden), Precision(16, 16, 16))
    exact.step()
    truth = exact.gradients()
    whole = replace(BATCH, activation_range=(1.0,) * 8, error_range=(1.0,) * 12)
    clipped = error(Stepping(IntegerStep(golden, options=BATCH), precision), truth)
    assert clipped < error(Stepping(IntegerStep(golden, options=whole), precision), truth)


def test_tensors_reach_their_share_of_a_range_that_is_measured_whole(golden: Accelerator) -> None:
    """Else ranges would shrink from step to step."""
    few = replace(BATCH, activation_range=(*(1.0,) * 3, 0.5, *(1.0,) * 4))
    few = replace(few, error_range=(*(1.0,) * 5, 0.25, *(1.0,) * 6))
    stepping = Stepping(IntegerStep(golden, options=few), COARSE)
    stepping.step()
    ranges = dict(stepping.arithmetic.history.values)
    shares: dict[str, set[float]] = {}

    def look(operation: ops.Operation, run: Run) -> None:
        if isinstance(operation, ops.Form) and operation.a is not None:
            a = run.value(operation.a)
            kind, extent = f"a{a.bits}", a.scale * (2**a.bits - 1)
        elif isinstance(operation, ops.Apply):
            e = run.value(operation.q)
            kind, extent = f"e{e.bits}", e.scale * (2 ** (e.bits - 1) - 1)
        else:
            return
        shares.setdefault(kind, set()).add(round(extent / ranges[operation.range_name], 9))

    stepping.executor = stepping.make(IMAGES, training=True, observer=look)
    run = stepping.step()
    assert shares == {"a4": {0.5}, "e6": {0.25}, "e8": {1.0}}
    stepping.executor.update(run, lambda parameter: None)
    assert stepping.arithmetic.history.values == pytest.approx(ranges, rel=0.5)


def test_a_measured_step_is_the_same_again(golden: Accelerator) -> None:
    """Ranges that were measured hold as if the last step had had them."""
    stepping = Stepping(IntegerStep(golden), COARSE)
    stepping.step()
    first, history = stepping.gradients(), dict(stepping.arithmetic.state())
    assert stepping.executor.is_known()
    run = stepping.step()
    for name, found in stepping.gradients().items():
        np.testing.assert_array_equal(found, first[name], err_msg=name)
    assert stepping.arithmetic.state() == history, "no step has ended yet"
    stepping.executor.update(run, lambda parameter: None)
    assert stepping.arithmetic.state().keys() == history.keys()


def test_random_bits_are_of_the_step(golden: Accelerator) -> None:
    stepping = Stepping(IntegerStep(golden), COARSE)
    stepping.step(0)
    first = stepping.gradients()
    stepping.step(1)
    second = stepping.gradients()
    differing = [name for name in first if not np.array_equal(first[name], second[name])]
    assert len(differing) > len(first) / 2


def test_a_skipped_block_keeps_its_ranges_and_needs_none(golden: Accelerator) -> None:
    skip = Precision(0, 0, 0)
    stepping = Stepping(IntegerStep(golden), skip, COARSE)
    run = stepping.step()
    stepping.executor.update(run, lambda parameter: None)
    inside = {name for name in stepping.arithmetic.state() if "block0.first" in name}
    assert inside, "the measuring step runs the dearest precision"
    known = {name: stepping.arithmetic.state()[name] for name in inside}
    run = stepping.step(1)
    stepping.executor.update(run, lambda parameter: None)
    assert {name: stepping.arithmetic.state()[name] for name in inside} == known


DEAD = "stage0.block0.first.norm.beta"
"""With this far below zero, nothing gets through the block's first rectifier."""


def after_a_step(golden: Accelerator, beta: float) -> Stepping:
    # what is clipped depends on the step before: with whole ranges two runs can be compared
    whole = IntegerOptions(activation_range=(1.0,) * 8, error_range=(1.0,) * 12)
    stepping = Stepping(IntegerStep(golden, options=whole), COARSE)
    move(stepping, beta)
    run = stepping.step()
    stepping.executor.update(run, lambda parameter: None)
    return stepping


def move(stepping: Stepping, beta: float, name: str = DEAD) -> None:
    (found,) = (each for each in stepping.network.parameters() if each.name == name)
    found.value = found.value + beta


def test_what_is_zero_everywhere_is_measured_once(golden: Accelerator) -> None:
    """Its range is 0: known, also after a checkpoint, and nothing to make a scale from."""
    stepping = after_a_step(golden, -20)
    state = stepping.arithmetic.state()
    zero = {name for name, extent in state.items() if not extent}
    # z, the sums made of it, the error that its mask leaves, and what comes of that
    assert zero == {
        *("stage0.block0.inner.range", "stage0.block0.second.norm.sums"),
        *("stage0.block0.first.relu.form.e", "stage0.block0.first.norm.back.range"),
    }
    assert stepping.executor.is_known()
    other = Stepping(IntegerStep(golden), COARSE)
    other.arithmetic.load(state)
    assert other.executor.is_known()
    run = stepping.step(1)
    stepping.executor.update(run, lambda parameter: None)
    assert {name for name, extent in stepping.arithmetic.state().items() if not extent} == zero


def test_what_was_zero_has_its_own_range_as_soon_as_it_is_not(golden: Accelerator) -> None:
    """In the step itself: no dozen steps from a range of 0."""
    fresh, stepping = after_a_step(golden, 0), after_a_step(golden, -20)
    move(stepping, 20)
    for number in (1, 2, 3):
        for each in (fresh, stepping):
            run = each.step(number)
            each.executor.update(run, lambda parameter: None)
        ours, theirs = stepping.arithmetic.state(), fresh.arithmetic.state()
        forward = {name for name in ours if name.endswith(("sums", "r.range", "t.range"))}
        # the block's errors follow, as its scales were made from what was 0
        for name in ours if number == 3 else forward:
            assert ours[name] == pytest.approx(theirs[name], rel=0.25), (number, name)


def test_a_sum_below_zero_is_zero_although_a_part_is_not(golden: Accelerator) -> None:
    """On a range of 0 both offsets would saturate, and cancel."""
    stepping = Stepping(IntegerStep(golden), COARSE)
    move(stepping, -40, "stage1.block0.second.norm.beta")
    move(stepping, 10, "stage1.block0.shortcut.norm.beta")
    run = stepping.step()
    stepping.executor.update(run, lambda parameter: None)
    assert stepping.arithmetic.state()["stage2.block0.input.range"] == 0


def test_a_measuring_step_finds_what_was_zero_before() -> None:
    """And leaves the ranges that there are."""
    history = History()
    history.observe("dead", 0.0)
    history.observe("known", 2.0)
    history.commit_new()
    assert history.values == {"dead": 0.0, "known": 2.0}
    assert history.extent("dead") is None and history.knows("dead") and not history.knows("new")
    for name, magnitude in (("dead", 3.0), ("known", 5.0), ("new", 0.0)):
        history.observe(name, magnitude)
    history.commit_new()
    assert history.values == {"dead": 3.0, "known": 2.0, "new": 0.0}
    for name, magnitude in (("dead", 0.0), ("known", 5.0), ("new", 0.0)):
        history.observe(name, magnitude)
    history.commit()
    assert history.values == {"dead": 3.0, "known": 5.0, "new": 0.0}


def test_ranges_are_real_values_and_stay_when_bits_change(golden: Accelerator) -> None:
    stepping = Stepping(IntegerStep(golden), COARSE, WIDE)
    run = stepping.step()
    stepping.executor.update(run, lambda parameter: None)
    before = stepping.arithmetic.state()
    stepping.selector.precision = WIDE
    assert stepping.executor.is_known()
    run = stepping.step(1)
    stepping.executor.update(run, lambda parameter: None)
    after = stepping.arithmetic.state()
    assert before.keys() == after.keys()
    ratios = [after[name] / before[name] for name in before]
    assert 0.3 < min(ratios) and max(ratios) < 3


def predictions(stepping: Stepping, images: Any) -> Any:
    executor = stepping.make(images.shape, training=False)
    return executor.forward({"images": images}).logits


def test_a_prediction_depends_on_its_image_alone(golden: Accelerator) -> None:
    stepping = Stepping(IntegerStep(golden), COARSE)
    run = stepping.step()
    stepping.executor.update(run, lambda parameter: None)
    state, images = stepping.arithmetic.state(), batch()["images"]
    whole = predictions(stepping, images)
    np.testing.assert_array_equal(predictions(stepping, images[::-1].copy()), whole[::-1])
    parts = [predictions(stepping, images[start : start + 6]) for start in (0, 6, 12)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert stepping.arithmetic.state() == state, "an evaluation leaves no trace"
    stepping.arithmetic.commit(())
    assert stepping.arithmetic.state() == state


def test_an_evaluation_has_more_pixels_than_a_chunk_may(golden: Accelerator) -> None:
    """As 128 images of 64 x 64 have: its statistics are the running ones."""
    arithmetic = IntegerStep(golden)
    arithmetic.math = StepMath()  # the definition, which refuses what its words do not hold
    stepping = Stepping(arithmetic, COARSE)
    run = stepping.step()
    stepping.executor.update(run, lambda parameter: None)
    images = np.zeros((1025, 3, 12, 12), np.uint8)
    assert predictions(stepping, images).shape == (1025, 4)


def test_running_statistics_are_moved_once_a_step(golden: Accelerator) -> None:
    stepping = Stepping(IntegerStep(golden, options=BATCH), WIDE)
    run = stepping.step()
    mean, variance = stepping.network.statistics()[:2]
    assert not mean.value.any() and (variance.value == 1).all(), "the step is not over"
    stepping.executor.update(run, lambda parameter: None)
    real = Stepping(IntegerArithmetic(golden), WIDE)
    real.step()
    truth, spread = real.network.statistics()[:2]
    np.testing.assert_allclose(mean.value, truth.value, atol=2e-4)
    pixels = IMAGES[0] * IMAGES[2] * IMAGES[3]
    unbiased = 1 + (spread.value - 1) * (pixels - 1) / pixels
    np.testing.assert_allclose(variance.value, unbiased, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "options",
    [
        IntegerOptions(),
        IntegerOptions(chunk_rows=36),
        IntegerOptions(chunk_rows=36, mixing=64),
        IntegerOptions(residual_bits=16, inner=(4,) * 8),
    ],
    ids=str,
)
def test_options_change_the_integers_a_little(golden: Accelerator, options: IntegerOptions) -> None:
    """Chunks of 1, 2 and 4 images do, too: they are not the float step's whole batch."""
    stepping = Stepping(IntegerStep(golden, options=options), COARSE)
    assert stepping.step().loss == pytest.approx(np.log(4), abs=1)
    other = Stepping(IntegerStep(golden, options=replace(options, outer=(8,) * 8)), COARSE)
    other.step()
    given, found = stepping.gradients(), other.gradients()
    assert any(not np.array_equal(given[name], found[name]) for name in given)
