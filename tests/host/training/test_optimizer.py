"""The optimizer by hand, the learning rates at their corners."""

import numpy as np
import pytest

from fractrain.host.accelerator import open_accelerator
from fractrain.host.arithmetic import IntegerStep
from fractrain.host.networks.parameter import Parameter
from fractrain.host.training.integer_optimizer import IntegerSgd
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


def test_side_by_side_as_one_by_one() -> None:
    """To the sign of 0: of what has no gradient, −0 stays."""
    rng = np.random.default_rng(0)
    shapes = [(1, 5, 1, 1), (3, 4), (4,), (1, 2, 1, 1)]

    def parameters() -> list[Parameter]:
        return [Parameter(f"p{n}", np.full(shape, -0.0)) for n, shape in enumerate(shapes)]

    with open_accelerator("golden") as golden:
        arithmetic, constants = IntegerStep(golden), {"momentum": 0.9, "weight_decay": 1e-4}
        pairs = [
            (held, IntegerSgd(held, arithmetic, seed=1, **constants))
            for held in (parameters(), parameters())
        ]
        for step in range(3):
            gradients = [rng.normal(size=shape) for shape in shapes]
            for held, optimizer in pairs:
                for number, each in enumerate(held):
                    skipped = step == 0 or (step + number) % 3 == 0
                    each.gradient = None if skipped else gradients[number]
                    optimizer.velocity[each.name] = optimizer.velocity[each.name] * -1.0
            (one_by_one, first), (together, second) = pairs
            for each in one_by_one:
                first.update(each, 0.1, step)
            second.descend(together, 0.1)
            for one, other in zip(one_by_one, together, strict=True):
                assert one.value.tobytes() == other.value.tobytes()
                assert one.value.shape == other.value.shape
                velocities = first.velocity[one.name], second.velocity[one.name]
                assert velocities[0].tobytes() == velocities[1].tobytes()


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
