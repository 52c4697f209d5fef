"""Batch norm: its statistics, its gradients against finite differences, its evaluation."""

import numpy as np
import pytest

from fractrain.host.arithmetic import IntegerArithmetic
from fractrain.host.graph.operations.layers import NORM_EPSILON, NORM_MOMENTUM
from fractrain.host.networks.batch_norm import BatchNorm
from tests.host.execution.alone import There, carry_out
from tests.host.execution.finite_differences import numerical_gradient


@pytest.fixture
def norm(rng: np.random.Generator) -> BatchNorm:
    """Three channels with γ and β of their own, in float64 so that differences are sharp."""
    layer = BatchNorm("norm", 3)
    layer.gamma.value = rng.normal(1, 0.3, (1, 3, 1, 1))
    layer.beta.value = rng.normal(0, 0.3, (1, 3, 1, 1))
    return layer


def through(
    norm: BatchNorm, x: np.ndarray, integers: IntegerArithmetic, *, training: bool = True
) -> There:
    return carry_out(norm.emit, x, integers, norm, training=training)


def test_normalizes_each_channel(
    norm: BatchNorm, integers: IntegerArithmetic, rng: np.random.Generator
) -> None:
    x = rng.normal(5, 3, (4, 3, 5, 6))
    y = through(norm, x, integers).y
    mean, variance = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    shape = (1, 3, 1, 1)
    expected = (x - mean.reshape(shape)) / np.sqrt(variance + NORM_EPSILON).reshape(shape)
    np.testing.assert_allclose(y, norm.gamma.value * expected + norm.beta.value, rtol=1e-10)


def test_gradients(norm: BatchNorm, integers: IntegerArithmetic, rng: np.random.Generator) -> None:
    x, e = rng.normal(2, 3, (2, 3, 3, 2)), rng.normal(size=(2, 3, 3, 2))

    def loss() -> float:
        return float((through(norm, x, integers).y * e).sum())

    expected = [numerical_gradient(loss, each) for each in (x, norm.gamma.value, norm.beta.value)]
    dx = through(norm, x, integers).back(e)
    for result, truth in zip((dx, norm.gamma.gradient, norm.beta.gradient), expected, strict=True):
        np.testing.assert_allclose(result, truth, rtol=1e-5, atol=1e-7)


def test_backward_leaves_its_argument(
    norm: BatchNorm, integers: IntegerArithmetic, rng: np.random.Generator
) -> None:
    there = through(norm, rng.normal(size=(2, 3, 3, 2)), integers)
    e = rng.normal(size=(2, 3, 3, 2))
    kept = e.copy()
    there.back(e)
    np.testing.assert_array_equal(e, kept)


def test_running_statistics(integers: IntegerArithmetic, rng: np.random.Generator) -> None:
    norm, mean, variance = BatchNorm("norm", 2), np.zeros(2), np.ones(2)
    for _ in range(3):
        x = rng.normal(5, 3, (4, 2, 3, 3)).astype(np.float32)
        mean += NORM_MOMENTUM * (x.mean(axis=(0, 2, 3)) - mean)
        variance += NORM_MOMENTUM * (x.var(axis=(0, 2, 3), ddof=1) - variance)
        through(norm, x, integers)
    x = rng.normal(5, 3, (1, 2, 3, 3)).astype(np.float32)
    shape = (1, 2, 1, 1)
    expected = (x - mean.reshape(shape)) / np.sqrt(variance + NORM_EPSILON).reshape(shape)
    y = through(norm, x, integers, training=False).y
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    assert norm.mean.value.dtype == np.float32


def test_ghost_batches_are_normalized_each_by_its_own(
    integers: IntegerArithmetic, rng: np.random.Generator
) -> None:
    """Groups of four of ten images: 4, 4 and 2; forward and backward as three batch norms."""
    ghost, parts = BatchNorm("ghost", 3, group=4), [BatchNorm("part", 3) for _ in range(3)]
    x, e = rng.normal(2, 3, (10, 3, 2, 2)), rng.normal(size=(10, 3, 2, 2))
    cuts = [slice(0, 4), slice(4, 8), slice(8, 10)]
    there = through(ghost, x, integers)
    dx = there.back(e)
    for part, cut in zip(parts, cuts, strict=True):
        alone = through(part, x[cut], integers)
        np.testing.assert_array_equal(there.y[cut], alone.y)
        np.testing.assert_array_equal(dx[cut], alone.back(e[cut]))
    for which in ("gamma", "beta"):
        total = sum(getattr(part, which).gradient for part in parts)
        np.testing.assert_allclose(getattr(ghost, which).gradient, total, rtol=1e-12)
    mean = np.mean([x[cut].mean(axis=(0, 2, 3)) for cut in cuts], axis=0)
    np.testing.assert_allclose(ghost.mean.value.ravel(), NORM_MOMENTUM * mean, rtol=1e-6)


def test_one_ghost_batch_is_the_batch(
    integers: IntegerArithmetic, rng: np.random.Generator
) -> None:
    x = rng.normal(size=(6, 2, 3, 3)).astype(np.float32)
    results = [through(BatchNorm("n", 2, group), x, integers).y for group in (None, 6, 99)]
    assert all(np.array_equal(each, results[0]) for each in results)


def test_steps_of_the_same_layer_do_not_disturb_each_other(
    norm: BatchNorm, integers: IntegerArithmetic, rng: np.random.Generator
) -> None:
    first, second = rng.normal(size=(2, 2, 3, 3, 3))
    alone = [through(norm, x, integers).back(x) for x in (first, second)]
    one, two = (through(norm, x, integers) for x in (first, second))
    np.testing.assert_array_equal(two.back(second), alone[1])
    np.testing.assert_array_equal(one.back(first), alone[0])
