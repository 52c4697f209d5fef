"""The optimizer by hand, the learning rates at their corners."""

import numpy as np
import pytest

from fractrain.host.networks.parameter import Parameter
from fractrain.host.training.optimizer import LEARNING_RATES, MomentumSgd


def test_two_steps_by_hand() -> None:
    parameter = Parameter("p", np.array([1.0], np.float32))
    optimizer = MomentumSgd([parameter], momentum=0.5, weight_decay=0.25)
    parameter.gradient = np.array([0.75], np.float32)
    optimizer.update(parameter, 0.5)  # v = 0.75 + 0.25 * 1 = 1
    assert parameter.value.tolist() == [0.5]
    optimizer.update(parameter, 0.5)  # v = 0.5 * 1 + 0.75 + 0.25 * 0.5 = 1.375
    assert parameter.value.tolist() == [0.5 - 0.6875]
    assert parameter.value.dtype == np.float32


def test_what_was_skipped_has_no_gradient() -> None:
    """It moves on by its momentum and decays, as with a gradient of zero."""
    skipped, zero = (Parameter(name, np.array([1.0], np.float32)) for name in "sz")
    optimizer = MomentumSgd([skipped, zero], momentum=0.5, weight_decay=0.25)
    skipped.gradient = zero.gradient = np.array([0.75], np.float32)
    for each in (skipped, zero):
        optimizer.update(each, 0.5)
    skipped.gradient, zero.gradient = None, np.array([0.0], np.float32)
    for each in (skipped, zero):
        optimizer.update(each, 0.5)  # v = 0.5 * 1 + 0.25 * 0.5 = 0.625
    assert skipped.value.tolist() == zero.value.tolist() == [0.5 - 0.3125]


@pytest.mark.parametrize(
    ("name", "factors"),
    [
        ("constant", {0.0: 1, 0.99: 1}),
        ("step", {0.0: 1, 0.49: 1, 0.5: 0.1, 0.74: 0.1, 0.75: 0.01, 0.99: 0.01}),
        ("cosine", {0.0: 1, 0.5: 0.5, 1.0: 0}),
    ],
)
def test_learning_rates(name: str, factors: dict[float, float]) -> None:
    for progress, factor in factors.items():
        assert LEARNING_RATES[name](progress) == pytest.approx(factor)
