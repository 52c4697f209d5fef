"""Descent by hand, and the schedule between its ends."""

import math

import numpy as np
import pytest

from fractrain.host.numerics.exact_descent import cosine_decay, descend


def test_two_steps_by_hand() -> None:
    """Numbers that float64 has exactly."""
    rules = {"rate": 0.5, "momentum": 0.25, "weight_decay": 0.125}
    value, velocity = descend(np.array([8.0]), np.array([4.0]), np.array([2.0]), **rules)
    assert velocity.tolist() == [1 + 2 + 1]
    assert value.tolist() == [8 - 2]
    value, velocity = descend(value, velocity, None, **rules)
    assert velocity.tolist() == [1 + 0.75]
    assert value.tolist() == [6 - 0.875]


def test_order_of_additions() -> None:
    """v + gradient first: 1 is lost in 2^53, and −1 of the decay is not."""
    rules = {"rate": 0.0, "momentum": 1.0, "weight_decay": 1.0}
    _, velocity = descend(np.array([-1.0]), np.array([2.0**53]), np.array([1.0]), **rules)
    assert velocity.tolist() == [2.0**53 - 1]


def test_cosine_decay() -> None:
    assert cosine_decay(0) == 1
    assert cosine_decay(1) == 0
    assert cosine_decay(0.5) == 0.5
    for progress in np.arange(1001) / 1000:
        expected = 0.5 * (1 + math.cos(math.pi * progress))
        assert cosine_decay(progress) == pytest.approx(expected, abs=1e-15)
