"""The rectifier and the ranges of activations."""

from collections.abc import Callable

import numpy as np
import pytest

from fractrain.host.networks.activation import RANGE_MOMENTUM, ActivationRange, ReLU
from fractrain.host.networks.execution import Execution


def test_relu(training: Callable[..., Execution]) -> None:
    relu = ReLU()
    y = relu.forward(np.array([-1.0, 0.0, 2.0]), training())
    assert y.tolist() == [0, 0, 2]
    e = np.array([5.0, 6.0, 7.0])
    assert relu.backward(e, training()).tolist() == [0, 0, 7]
    assert e.tolist() == [5, 6, 7]


def test_range_is_the_batch_in_training_and_the_running_mean_in_evaluation(
    training: Callable[..., Execution], evaluation: Execution
) -> None:
    tracked = ActivationRange("layer")
    assert tracked.observe(np.array([1.0, 3.0]), evaluation) == 3  # nothing better is known
    assert tracked.observe(np.array([2.0, 10.0]), training()) == 10
    assert tracked.observe(np.array([20.0]), training()) == 20
    running = 10 + RANGE_MOMENTUM * 10
    assert tracked.observe(np.array([1.0]), evaluation) == pytest.approx(running)
    assert tracked.observe(np.array([99.0]), evaluation) == pytest.approx(running)


def test_what_exceeds_the_range_in_evaluation_saturates(
    training: Callable[..., Execution], evaluation: Execution
) -> None:
    tracked = ActivationRange("layer")
    tracked.observe(np.array([15.0], np.float32), training())
    x = np.array([1, 15, 40], np.float32)
    q = evaluation.arithmetic.activations(x, 4, tracked.observe(x, evaluation))
    assert q.integers.tolist() == [1, 15, 15]
