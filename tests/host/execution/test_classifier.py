"""Classifier and loss: values by hand, gradients against finite differences."""

import numpy as np
import pytest

from fractrain.host.arithmetic import IntegerArithmetic
from fractrain.host.networks.classifier import Classifier
from fractrain.host.numerics.loss import softmax_cross_entropy
from tests.host.execution.alone import carry_out
from tests.host.execution.finite_differences import numerical_gradient


def test_loss_by_hand() -> None:
    # Two classes, logits 0 and ln 3: probabilities 1/4 and 3/4.
    logits = np.log(np.array([[1.0, 3.0], [1.0, 3.0]]))
    loss, error = softmax_cross_entropy(np, logits, np.array([1, 0]))
    assert float(loss) == pytest.approx(-(np.log(3 / 4) + np.log(1 / 4)) / 2)
    np.testing.assert_allclose(error, [[1 / 8, -1 / 8], [-3 / 8, 3 / 8]])


def test_loss_of_huge_logits_is_finite() -> None:
    loss, error = softmax_cross_entropy(np, np.array([[1e4, 0.0]], np.float32), np.array([0]))
    assert float(loss) == 0
    assert np.isfinite(error).all()


def test_loss_gradient(rng: np.random.Generator) -> None:
    logits, labels = rng.normal(size=(4, 5)), rng.integers(0, 5, 4)
    truth = numerical_gradient(lambda: float(softmax_cross_entropy(np, logits, labels)[0]), logits)
    np.testing.assert_allclose(
        softmax_cross_entropy(np, logits, labels)[1], truth, rtol=1e-6, atol=1e-8
    )


def test_loss_stays_in_float32() -> None:
    loss, error = softmax_cross_entropy(np, np.ones((2, 3), np.float32), np.array([0, 2]))
    assert (loss.dtype, error.dtype) == (np.float32, np.float32)


def test_classifier_gradients(integers: IntegerArithmetic, rng: np.random.Generator) -> None:
    layer = Classifier(3, 4, rng)
    layer.weight.value = layer.weight.value.astype(np.float64)
    layer.bias.value = rng.normal(size=4)
    x, e = rng.normal(size=(2, 3, 2, 5)), rng.normal(size=(2, 4))

    def loss() -> float:
        return float((carry_out(layer.emit, x, integers, layer).y * e).sum())

    there = carry_out(layer.emit, x, integers, layer)
    assert there.y == pytest.approx(x.mean(axis=(2, 3)) @ layer.weight.value.T + layer.bias.value)
    expected = [
        numerical_gradient(loss, each) for each in (x, layer.weight.value, layer.bias.value)
    ]
    dx = there.back(e)
    for result, truth in zip(
        (dx, layer.weight.gradient, layer.bias.gradient), expected, strict=True
    ):
        np.testing.assert_allclose(result, truth, rtol=1e-6, atol=1e-8)
