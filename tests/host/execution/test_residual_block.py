"""Residual blocks: choices of one path and of several, skipping, late decisions, shares."""

from typing import Any

import numpy as np
import pytest

from fractrain.host.arithmetic import Arithmetic, IntegerArithmetic, PublishedArithmetic
from fractrain.host.graph import operations as ops
from fractrain.host.graph.choice import Choice, Path
from fractrain.host.graph.operations import Operation
from fractrain.host.networks.residual_block import ResidualBlock
from fractrain.hw.contract.precision import Precision
from tests.host.execution.alone import Chosen, There, carry_out

SKIP = Precision(0, 0, 0)
FINE = Precision(16, 16, 16)
COARSE = Precision(2, 2, 4)


def block(*, stride: int = 1, filters: int = 4) -> ResidualBlock:
    return ResidualBlock("block", 4, filters, stride=stride, rng=np.random.default_rng(3))


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    return np.maximum(rng.normal(size=(6, 4, 6, 6)), 0).astype(np.float32)


def through(
    layer: ResidualBlock, x: np.ndarray, selector: Chosen, arithmetic: Arithmetic, **more: Any
) -> There:
    return carry_out(layer.emit, x, arithmetic, layer, selector=selector, **more)


def only(precision: Precision, **more: Any) -> Chosen:
    return Chosen(Choice((Path(precision),)), **more)


def among(masks: dict[Precision, list[int]]) -> Chosen:
    paths = [
        Path(precision, sum(mask), np.array(mask, np.float32)) for precision, mask in masks.items()
    ]
    return Chosen(Choice(tuple(paths)), learns=True, per_sample=True)


def test_a_skipped_block_is_its_shortcut(
    x: np.ndarray, integers: IntegerArithmetic, rng: np.random.Generator
) -> None:
    """The identity, back and forth; nothing is multiplied, and all of it counts as saved."""
    layer, selector = block(), only(SKIP, learns=True)
    kept, e = x.copy(), rng.normal(size=x.shape).astype(np.float32)
    there = through(layer, x, selector, integers)
    np.testing.assert_array_equal(there.y, x)
    np.testing.assert_array_equal(there.back(e), e)
    np.testing.assert_array_equal(x, kept)
    assert [each.tolist() for each in selector.shares] == [[0]]
    assert layer.first.convolution.weight.gradient is None
    costs = there.costs
    assert (costs.executed, costs.cp, costs.saving) == (0, 0, 1)
    assert costs.baseline == 3 * 6 * 2 * 4 * 36 * 36 * 64 / 1024


def test_a_skipped_block_that_changes_the_shape_runs_its_shortcut_only(
    x: np.ndarray, integers: IntegerArithmetic
) -> None:
    layer = block(stride=2, filters=8)
    there = through(layer, x, only(SKIP), integers)
    assert there.y.shape == (6, 8, 3, 3)
    assert there.y.min() == 0 < there.y.max()
    assert there.back(np.ones_like(there.y)).shape == x.shape
    assert layer.shortcut is not None
    assert np.abs(layer.shortcut.convolution.weight.gradient).max() > 0
    assert layer.second.convolution.weight.gradient is None


def test_late_decisions_read_the_top_planes_of_what_is_stored(
    x: np.ndarray, integers: IntegerArithmetic
) -> None:
    """The block on 8-bit activations cut to 3 bits, whatever rounding would have given."""
    precision, operands = Precision(3, 8, 8), []

    def observer(operation: Operation, run: Any) -> None:
        if isinstance(operation, ops.Convolve) and operation.layer == "block.first":
            operands.append(run.value(operation.row))

    def output(**more: Any) -> np.ndarray:
        selector = only(precision, **more)
        return through(block(), x, selector, integers, training=False, observer=observer).y

    late, in_time = output(stored_bits=8), output()
    eight = np.round(x * (255 / x.max())).astype(int)
    np.testing.assert_array_equal(operands[0].integers, eight >> 5)
    assert operands[0].scale == pytest.approx(32 * x.max() / 255)
    np.testing.assert_array_equal(operands[1].integers, np.round(x * (7 / x.max())))
    assert np.abs(late - in_time).max() > 0.02 * np.abs(late).max()


def test_share_of_the_only_path_is_the_slope_by_its_factor(
    x: np.ndarray, integers: IntegerArithmetic, rng: np.random.Generator
) -> None:
    """y = ReLU(s·residual + x) at s = 1, differentiated by s."""
    found = []

    def observer(operation: Operation, run: Any) -> None:
        if isinstance(operation, ops.Share):
            found.append(run.value(operation.y).copy())

    selector = only(FINE, learns=True)
    e = rng.normal(size=x.shape).astype(np.float32)
    there = through(block(), x, selector, integers, observer=observer)
    residual = found[0]
    np.testing.assert_allclose(np.maximum(residual + x, 0), there.y, atol=1e-6)

    def loss(factor: float) -> float:
        return float((np.maximum(factor * residual.astype(float) + x, 0) * e).sum())

    there.back(e)
    slope = (loss(1 + 1e-6) - loss(1 - 1e-6)) / 2e-6
    assert selector.shares[0] == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("stride", [1, 2])
def test_every_image_takes_the_path_of_its_mask(
    stride: int, x: np.ndarray, published: PublishedArithmetic
) -> None:
    """Against blocks with the same weights that run one path for all."""
    filters = 4 * stride
    masks = {FINE: [1, 0, 0, 1, 0, 0], COARSE: [0, 1, 1, 0, 0, 0], SKIP: [0, 0, 0, 0, 1, 1]}
    y = through(block(stride=stride, filters=filters), x, among(masks), published).y
    for precision, mask in masks.items():
        alone = through(block(stride=stride, filters=filters), x, only(precision), published).y
        taken = np.array(mask, bool)
        np.testing.assert_array_equal(y[taken], alone[taken])


def test_way_back_through_several_paths(
    x: np.ndarray, published: PublishedArithmetic, rng: np.random.Generator
) -> None:
    """Each path goes back with the errors of its images; a path of no image has a share, too."""
    e = rng.normal(size=x.shape).astype(np.float32)
    masks = {FINE: [1, 1, 0, 1, 0, 1], COARSE: [0] * 6, SKIP: [0, 0, 1, 0, 1, 0]}
    layer, selector = block(), among(masks)
    there = through(layer, x, selector, published)
    dx = there.back(e)
    (shares,) = selector.shares
    total, expected = np.zeros_like(x), []
    for precision, mask in masks.items():
        alone = block()
        passed = through(alone, x, only(precision), published)
        expected.append((passed.y * e).sum(axis=(1, 2, 3)))
        if any(mask):
            total += passed.back(e * np.array(mask, np.float32).reshape(-1, 1, 1, 1))
        if precision is FINE:
            np.testing.assert_allclose(
                layer.first.convolution.weight.gradient,
                alone.first.convolution.weight.gradient,
                rtol=1e-4,
                atol=1e-3,
            )
    np.testing.assert_allclose(shares, expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(dx, total, rtol=1e-3, atol=1e-3 * np.abs(total).max())
    assert there.run.values.names() == [there.run.graph.logits.name]  # all else is forgotten


def test_costs_are_those_of_the_images_that_take_a_path(
    x: np.ndarray, published: PublishedArithmetic
) -> None:
    masks = {FINE: [1, 1, 0, 0, 0, 0], COARSE: [0, 0, 1, 0, 0, 0], SKIP: [0, 0, 0, 1, 1, 1]}
    costs = through(block(), x, among(masks), published).costs
    macs = 2 * 4 * 36 * 36
    assert costs.executed == macs * (2 * 3 * 256 + 1 * (4 + 8 + 8)) / 1024
    assert costs.baseline == macs * 3 * 6 * 64 / 1024


def test_bits_are_averaged_over_images() -> None:
    paths = (Path(FINE, 1), Path(COARSE, 1), Path(SKIP, 2))
    assert Choice(paths).bits(4) == (4.5, 4.5, 5.0)
    assert Choice((Path(COARSE),)).bits(4) == (2, 2, 4)
