"""The rectifier and the ranges of activations."""

import numpy as np
import pytest

from fractrain.host.arithmetic import IntegerArithmetic
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.operations.quantizing import RANGE_MOMENTUM
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.activation import ActivationRange
from tests.host.execution.alone import carry_out


def relu(builder: Builder, x: Tensor) -> Tensor:
    return builder.rectify("relu", x)


def test_relu(integers: IntegerArithmetic) -> None:
    x = np.array([-1.0, 0.0, 2.0])
    there = carry_out(relu, x, integers)
    assert there.y.tolist() == [0, 0, 2]
    e = np.array([5.0, 6.0, 7.0])
    assert there.back(e).tolist() == [0, 0, 7]
    assert (e.tolist(), x.tolist()) == ([5, 6, 7], [-1, 0, 2])


def observe(
    tracked: ActivationRange, x: list[float], arithmetic: IntegerArithmetic, *, training: bool
) -> float:
    class Holder:
        def parameters(self) -> list:
            return []

        def statistics(self) -> list:
            return [tracked.running]

    def emit(builder: Builder, tensor: Tensor) -> Tensor:
        return tracked.emit(builder, tensor)

    values = np.array(x)
    return float(carry_out(emit, values, arithmetic, Holder(), training=training).y)


def test_range_is_the_batch_in_training_and_the_running_mean_in_evaluation(
    integers: IntegerArithmetic,
) -> None:
    tracked = ActivationRange("layer")

    def evaluated(*x: float) -> float:
        return observe(tracked, [*x], integers, training=False)

    def trained(*x: float) -> float:
        return observe(tracked, [*x], integers, training=True)

    assert evaluated(1.0, 3.0) == 3  # nothing better is known
    assert trained(2.0, 10.0) == 10
    assert trained(20.0) == 20
    running = 10 + RANGE_MOMENTUM * 10
    assert evaluated(1.0) == pytest.approx(running)
    assert evaluated(99.0) == pytest.approx(running)


def test_what_exceeds_the_range_in_evaluation_saturates(integers: IntegerArithmetic) -> None:
    tracked = ActivationRange("layer")
    observe(tracked, [15.0], integers, training=True)
    x = np.array([1, 15, 40], np.float32)
    extent = np.float32(observe(tracked, [40.0], integers, training=False))
    assert integers.activations(x, 4, extent).integers.tolist() == [1, 15, 15]
