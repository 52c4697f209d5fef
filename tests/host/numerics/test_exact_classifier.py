"""Classifier and loss in float64 against NumPy's own sums, differences, and their hash."""

import hashlib

import numpy as np
import pytest

from fractrain.host.numerics.exact_classifier import (
    linear,
    linear_error,
    linear_gradients,
    softmax,
    softmax_cross_entropy,
)
from fractrain.host.numerics.loss import softmax_cross_entropy as in_float32
from tests.host.execution.finite_differences import numerical_gradient

IMAGES, CHANNELS, CLASSES = 12, 7, 5


def test_linear_layer(rng: np.random.Generator) -> None:
    x, weight = rng.normal(size=(IMAGES, CHANNELS)), rng.normal(size=(CLASSES, CHANNELS))
    bias, e = rng.normal(size=CLASSES), rng.normal(size=(IMAGES, CLASSES))
    np.testing.assert_allclose(linear(x, weight, bias), x @ weight.T + bias, rtol=1e-12)
    dweight, dbias = linear_gradients(e, x)

    def loss() -> float:
        return float((e * linear(x, weight, bias)).sum())

    for gradient, value in ((dweight, weight), (dbias, bias), (linear_error(e, weight), x)):
        np.testing.assert_allclose(gradient, numerical_gradient(loss, value, 1e-3), atol=1e-9)


def test_loss_and_error(rng: np.random.Generator) -> None:
    logits, labels = 3 * rng.normal(size=(IMAGES, CLASSES)), rng.integers(0, CLASSES, IMAGES)
    loss, error = softmax_cross_entropy(logits, labels)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert loss == pytest.approx(-np.log(p[np.arange(IMAGES), labels]).mean(), rel=1e-12)
    truth = numerical_gradient(lambda: softmax_cross_entropy(logits, labels)[0], logits, 1e-5)
    np.testing.assert_allclose(error, truth, atol=1e-10)
    np.testing.assert_allclose(softmax(logits), p, rtol=1e-12)
    other, error32 = in_float32(np, logits.astype(np.float32), labels)
    assert loss == pytest.approx(float(other), rel=1e-5)
    np.testing.assert_allclose(error, error32, atol=1e-7)


def test_huge_logits() -> None:
    loss, error = softmax_cross_entropy(np.array([[1e4, 1e4, -1e4]]), np.array([2]))
    assert loss == pytest.approx(2e4 + np.log(2))
    assert error.tolist() == [[0.5, 0.5, -1]]
    assert softmax(np.array([[1e4, 1e4, -1e4]])).tolist() == [[0.5, 0.5, 0]]


def test_what_is_no_number_stays_none() -> None:
    loss, error = softmax_cross_entropy(np.array([[np.nan, 1.0], [0.0, 1.0]]), np.array([0, 1]))
    assert np.isnan(loss)
    assert np.isnan(error[0]).all() and np.isfinite(error[1]).all()


def test_the_same_bits_everywhere() -> None:
    x = np.arange(IMAGES * CHANNELS).reshape(IMAGES, CHANNELS) / 29
    weight = 2 - np.arange(CLASSES * CHANNELS).reshape(CLASSES, CHANNELS) / 9
    logits = linear(x, weight, np.arange(CLASSES) / 3)
    labels = np.arange(IMAGES) % CLASSES
    loss, error = softmax_cross_entropy(logits, labels)
    parts = [
        logits,
        np.array(loss),
        error,
        *linear_gradients(error, x),
        linear_error(error, weight),
    ]
    digest = hashlib.sha256(b"".join(each.astype("<f8").tobytes() for each in parts))
    assert digest.hexdigest() == "4cd389d885ba18d6b813a00ee83ec8b0d5edf93ed365bfdd6eef1f026ad4fce2"
