"""Batch norm: its statistics, its gradients against finite differences, its evaluation."""

from collections.abc import Callable

import numpy as np
import pytest

from fractrain.host.networks.batch_norm import EPSILON, MOMENTUM, BatchNorm
from fractrain.host.networks.execution import Execution
from tests.host.networks.finite_differences import numerical_gradient


@pytest.fixture
def norm(rng: np.random.Generator) -> BatchNorm:
    """Three channels with γ and β of their own, in float64 so that differences are sharp."""
    layer = BatchNorm("norm", 3)
    layer.gamma.value = rng.normal(1, 0.3, (1, 3, 1, 1))
    layer.beta.value = rng.normal(0, 0.3, (1, 3, 1, 1))
    return layer


def test_normalizes_each_channel(
    norm: BatchNorm, training: Callable[..., Execution], rng: np.random.Generator
) -> None:
    x = rng.normal(5, 3, (4, 3, 5, 6))
    y = norm.forward(x.copy(), training())
    mean, variance = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    shape = (1, 3, 1, 1)
    expected = (x - mean.reshape(shape)) / np.sqrt(variance + EPSILON).reshape(shape)
    np.testing.assert_allclose(y, norm.gamma.value * expected + norm.beta.value, rtol=1e-10)


def test_gradients(
    norm: BatchNorm, training: Callable[..., Execution], rng: np.random.Generator
) -> None:
    x, e = rng.normal(2, 3, (2, 3, 3, 2)), rng.normal(size=(2, 3, 3, 2))

    def loss() -> float:
        return float((norm.forward(x.copy(), training()) * e).sum())

    expected = [numerical_gradient(loss, each) for each in (x, norm.gamma.value, norm.beta.value)]
    loss()
    dx = norm.backward(e, training())
    for result, truth in zip((dx, norm.gamma.gradient, norm.beta.gradient), expected, strict=True):
        np.testing.assert_allclose(result, truth, rtol=1e-5, atol=1e-7)


def test_backward_leaves_its_argument(
    norm: BatchNorm, training: Callable[..., Execution], rng: np.random.Generator
) -> None:
    norm.forward(rng.normal(size=(2, 3, 3, 2)), training())
    e = rng.normal(size=(2, 3, 3, 2))
    kept = e.copy()
    norm.backward(e, training())
    np.testing.assert_array_equal(e, kept)


def test_running_statistics(
    training: Callable[..., Execution], evaluation: Execution, rng: np.random.Generator
) -> None:
    norm, mean, variance = BatchNorm("norm", 2), np.zeros(2), np.ones(2)
    for _ in range(3):
        x = rng.normal(5, 3, (4, 2, 3, 3)).astype(np.float32)
        mean += MOMENTUM * (x.mean(axis=(0, 2, 3)) - mean)
        variance += MOMENTUM * (x.var(axis=(0, 2, 3), ddof=1) - variance)
        norm.forward(x, training())
    x = rng.normal(5, 3, (1, 2, 3, 3)).astype(np.float32)
    shape = (1, 2, 1, 1)
    expected = (x - mean.reshape(shape)) / np.sqrt(variance + EPSILON).reshape(shape)
    np.testing.assert_allclose(norm.forward(x, evaluation), expected, rtol=1e-4, atol=1e-5)
    assert norm.mean.value.dtype == np.float32


def test_no_way_back_without_a_forward_pass(
    norm: BatchNorm, training: Callable[..., Execution], evaluation: Execution
) -> None:
    x = np.ones((1, 3, 2, 2))
    norm.forward(x, evaluation)
    with pytest.raises(RuntimeError, match="norm.gamma"):
        norm.backward(x, training())


def test_ghost_batches_are_normalized_each_by_its_own(
    training: Callable[..., Execution], rng: np.random.Generator
) -> None:
    """Groups of four of ten images: 4, 4 and 2; forward and backward as three batch norms."""
    ghost, parts = BatchNorm("ghost", 3, group=4), [BatchNorm("part", 3) for _ in range(3)]
    x, e = rng.normal(2, 3, (10, 3, 2, 2)), rng.normal(size=(10, 3, 2, 2))
    cuts = [slice(0, 4), slice(4, 8), slice(8, 10)]
    y = ghost.forward(x.copy(), training())
    dx = ghost.backward(e, training())
    for part, cut in zip(parts, cuts, strict=True):
        np.testing.assert_array_equal(y[cut], part.forward(x[cut].copy(), training()))
        np.testing.assert_array_equal(dx[cut], part.backward(e[cut], training()))
    for which in ("gamma", "beta"):
        total = sum(getattr(part, which).gradient for part in parts)
        np.testing.assert_allclose(getattr(ghost, which).gradient, total, rtol=1e-12)
    mean = np.mean([x[cut].mean(axis=(0, 2, 3)) for cut in cuts], axis=0)
    np.testing.assert_allclose(ghost.mean.value.ravel(), MOMENTUM * mean, rtol=1e-6)


def test_one_ghost_batch_is_the_batch(
    training: Callable[..., Execution], rng: np.random.Generator
) -> None:
    x = rng.normal(size=(6, 2, 3, 3)).astype(np.float32)
    results = [BatchNorm("n", 2, group).forward(x.copy(), training()) for group in (None, 6, 99)]
    assert all(np.array_equal(each, results[0]) for each in results)


def test_backward_passes_undo_forward_passes_the_last_first(
    norm: BatchNorm, training: Callable[..., Execution], rng: np.random.Generator
) -> None:
    first, second = rng.normal(size=(2, 2, 3, 3, 3))
    alone = []
    for x in (first, second):
        norm.forward(x.copy(), training())
        alone.append(norm.backward(x, training()))
    norm.forward(first.copy(), training())
    norm.forward(second.copy(), training())
    np.testing.assert_array_equal(norm.backward(second, training()), alone[1])
    np.testing.assert_array_equal(norm.backward(first, training()), alone[0])


def test_a_pass_without_way_back_keeps_nothing(
    norm: BatchNorm, training: Callable[..., Execution], rng: np.random.Generator
) -> None:
    norm.forward(rng.normal(size=(2, 3, 3, 3)), training().without_way_back)
    with pytest.raises(RuntimeError, match="norm.gamma"):
        norm.backward(rng.normal(size=(2, 3, 3, 3)), training())
