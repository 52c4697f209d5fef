"""Residual blocks: choices of one path and of several, skipping, late decisions, shares."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator
from fractrain.host.arithmetic import PublishedArithmetic
from fractrain.host.graph.choice import Choice, Path
from fractrain.host.networks.execution import Execution
from fractrain.host.networks.residual_block import ResidualBlock
from fractrain.hw.contract.precision import Precision

SKIP = Precision(0, 0, 0)
FINE = Precision(16, 16, 16)
COARSE = Precision(2, 2, 4)


def block(*, stride: int = 1, filters: int = 4) -> ResidualBlock:
    return ResidualBlock("block", 4, filters, stride=stride, rng=np.random.default_rng(3))


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    return np.maximum(rng.normal(size=(6, 4, 6, 6)), 0).astype(np.float32)


@pytest.fixture
def reference(
    accelerator: Accelerator, training: Callable[..., Execution]
) -> Callable[[], Execution]:
    return lambda: replace(training(), arithmetic=PublishedArithmetic(accelerator))


def only(precision: Precision, **more: object) -> Choice:
    return Choice((Path(precision),), **more)  # type: ignore[arg-type]


def among(masks: dict[Precision, list[int]]) -> Choice:
    paths = [
        Path(precision, sum(mask), np.array(mask, np.float32)) for precision, mask in masks.items()
    ]
    return Choice(tuple(paths), learns=True)


def test_a_skipped_block_is_its_shortcut(
    x: np.ndarray, training: Callable[..., Execution], rng: np.random.Generator
) -> None:
    """The identity, back and forth; nothing is multiplied, and all of it counts as saved."""
    layer, execution = block(), training()
    kept, e = x.copy(), rng.normal(size=x.shape).astype(np.float32)
    np.testing.assert_array_equal(layer.forward(x, only(SKIP), execution), x)
    dx, shares = layer.backward(e, execution)
    np.testing.assert_array_equal(dx, e)
    np.testing.assert_array_equal(x, kept)
    assert shares.tolist() == [0]
    assert layer.first.convolution.weight.gradient is None
    costs = execution.for_training.costs
    assert (costs.executed, costs.cp, costs.saving) == (0, 0, 1)
    assert costs.baseline == 3 * 6 * 2 * 4 * 36 * 36 * 64 / 1024


def test_a_skipped_block_that_changes_the_shape_runs_its_shortcut_only(
    x: np.ndarray, training: Callable[..., Execution]
) -> None:
    layer, execution = block(stride=2, filters=8), training()
    y = layer.forward(x, only(SKIP), execution)
    assert y.shape == (6, 8, 3, 3)
    assert y.min() == 0 < y.max()
    dx, _ = layer.backward(np.ones_like(y), execution)
    assert dx.shape == x.shape
    assert layer.shortcut is not None
    assert np.abs(layer.shortcut.convolution.weight.gradient).max() > 0
    assert layer.second.convolution.weight.gradient is None


def test_late_decisions_read_the_top_planes_of_what_is_stored(
    x: np.ndarray, evaluation: Execution
) -> None:
    """The block on 8-bit activations cut to 3 bits, whatever rounding would have given."""
    layer = block()
    precision = Precision(3, 8, 8)
    late = layer.forward(x, only(precision, stored_bits=8), evaluation)
    eight = np.round(x * (255 / x.max())).astype(int)
    cut = ((eight >> 5) << 5).astype(np.float32) * (x.max() / 255)
    direct = layer._residual(
        evaluation.arithmetic.activations(cut, 16, np.float32(x.max())),
        (6, 6),
        len(x),
        Path(precision),
        evaluation,
    )
    expected = np.maximum(direct + x, 0)
    np.testing.assert_allclose(late, expected, atol=2e-3 * np.abs(expected).max())
    in_time = layer.forward(x, only(precision), evaluation)
    assert np.abs(late - in_time).max() > 0.02 * np.abs(expected).max()


def test_share_of_the_only_path_is_the_slope_by_its_factor(
    x: np.ndarray, training: Callable[..., Execution], rng: np.random.Generator
) -> None:
    """y = ReLU(s·residual + x) at s = 1, differentiated by s."""
    layer, execution = block(), training()
    e = rng.normal(size=x.shape).astype(np.float32)
    y = layer.forward(x, only(FINE, learns=True), execution)
    residual = layer._saved[0][0].residual
    np.testing.assert_allclose(np.maximum(residual + x, 0), y, atol=1e-6)

    def loss(factor: float) -> float:
        return float((np.maximum(factor * residual.astype(float) + x, 0) * e).sum())

    _, shares = layer.backward(e, execution)
    assert shares == pytest.approx((loss(1 + 1e-6) - loss(1 - 1e-6)) / 2e-6, rel=1e-3)


@pytest.mark.parametrize("stride", [1, 2])
def test_every_image_takes_the_path_of_its_mask(
    stride: int, x: np.ndarray, reference: Callable[[], Execution]
) -> None:
    """Against blocks with the same weights that run one path for all."""
    filters = 4 * stride
    masks = {FINE: [1, 0, 0, 1, 0, 0], COARSE: [0, 1, 1, 0, 0, 0], SKIP: [0, 0, 0, 0, 1, 1]}
    y = block(stride=stride, filters=filters).forward(x, among(masks), reference())
    for precision, mask in masks.items():
        alone = block(stride=stride, filters=filters).forward(x, only(precision), reference())
        taken = np.array(mask, bool)
        np.testing.assert_array_equal(y[taken], alone[taken])


def test_way_back_through_several_paths(
    x: np.ndarray, reference: Callable[[], Execution], rng: np.random.Generator
) -> None:
    """Each path goes back with the errors of its images; a path of no image has a share, too."""
    e = rng.normal(size=x.shape).astype(np.float32)
    masks = {FINE: [1, 1, 0, 1, 0, 1], COARSE: [0] * 6, SKIP: [0, 0, 1, 0, 1, 0]}
    layer, execution = block(), reference()
    layer.forward(x, among(masks), execution)
    dx, shares = layer.backward(e, execution)
    total, expected = np.zeros_like(x), []
    for precision, mask in masks.items():
        alone, passed = block(), reference()
        y = alone.forward(x, only(precision), passed)
        expected.append((y * e).sum(axis=(1, 2, 3)))
        if any(mask):
            masked = e * np.array(mask, np.float32).reshape(-1, 1, 1, 1)
            total += alone.backward(masked, passed)[0]
        if precision is FINE:
            np.testing.assert_allclose(
                layer.first.convolution.weight.gradient,
                alone.first.convolution.weight.gradient,
                rtol=1e-4,
                atol=1e-3,
            )
    np.testing.assert_allclose(shares, expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(dx, total, rtol=1e-3, atol=1e-3 * np.abs(total).max())
    assert layer._saved == layer.first.norm._saved == layer._output_relu._saved == []


def test_costs_are_those_of_the_images_that_take_a_path(
    x: np.ndarray, reference: Callable[[], Execution]
) -> None:
    layer, execution = block(), reference()
    masks = {FINE: [1, 1, 0, 0, 0, 0], COARSE: [0, 0, 1, 0, 0, 0], SKIP: [0, 0, 0, 1, 1, 1]}
    layer.forward(x, among(masks), execution)
    layer.backward(np.ones_like(x), execution)
    macs = 2 * 4 * 36 * 36
    costs = execution.for_training.costs
    assert costs.executed == macs * (2 * 3 * 256 + 1 * (4 + 8 + 8)) / 1024
    assert costs.baseline == macs * 3 * 6 * 64 / 1024


def test_bits_are_averaged_over_images() -> None:
    choice = among({FINE: [1, 0, 0, 0], COARSE: [0, 1, 0, 0], SKIP: [0, 0, 1, 1]})
    assert choice.bits(4) == (4.5, 4.5, 5.0)
    assert only(COARSE).bits(4) == (2, 2, 4)
