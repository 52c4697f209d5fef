"""What the builder refuses: names that are taken, other ranges, channels that do not fit."""

import numpy as np
import pytest

from fractrain.host.graph.builder import Builder
from fractrain.host.graph.operations import Convolve
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.tensor import Kind, Tensor
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.hw.contract.errors import ParameterError
from tests.host.graph.steps import COARSE


def make_builder(**more: int) -> Builder:
    return Builder(StepOptions((COARSE,), **more), (2, 17, 4, 4), training=True)  # type: ignore[arg-type]


def weight(*shape: int, name: str = "w") -> Parameter:
    return Parameter(name, np.zeros(shape, np.float32))


def test_parameters_and_statistics_are_known_by_themselves() -> None:
    builder, one, running = make_builder(), weight(3), Statistic("mean")
    assert builder.parameter(one) is builder.parameter(one)
    assert builder.statistic(running) is builder.statistic(running)
    assert list(builder.parameters) == ["w"]
    for other in (weight(3), Statistic("mean"), running):
        with pytest.raises(ParameterError, match=rf"parameter: got '{other.name}'"):
            builder.parameter(other)
    for another in (Statistic("mean"), Statistic("w"), one):
        with pytest.raises(ParameterError, match=rf"statistic: got '{another.name}'"):
            builder.statistic(another)


def test_parameters_and_tensors_share_no_name() -> None:
    builder = make_builder()
    builder.tensor("x", (1,))
    builder.parameter(weight(3))
    for name in ("x", "images"):
        with pytest.raises(ParameterError, match=f"got '{name}', allowed: a name that is not"):
            builder.parameter(weight(3, name=name))
        assert builder.statistic(Statistic(name)).kind is Kind.STATISTIC  # kept apart
    with pytest.raises(ParameterError, match="got 'w', allowed: a name that is not"):
        builder.tensor("w", (1,))


def test_groups_are_said_never_guessed() -> None:
    builder = make_builder()
    with pytest.raises(ParameterError, match="channels of layer: got 17, allowed: 16, as its"):
        builder.convolve("layer", builder.images, weight(4, 16, 1, 1), 1, 0, 0)
    x = builder.tensor("x", (2, 8, 4, 4), Kind.ACTIVATIONS)
    with pytest.raises(ParameterError, match="got 8, allowed: 16, .* 4 for each of 4 groups"):
        builder.convolve("layer", x, weight(4, 4, 1, 1, name="v"), 1, 0, 0, groups=4)
    builder = make_builder(real=True)
    x = builder.tensor("x", (2, 8, 4, 4))
    builder.convolve("layer", x, weight(4, 4, 1, 1), 1, 0, 0, groups=2)
    (convolution,) = builder.operations
    assert isinstance(convolution, Convolve) and convolution.geometry.groups == 2


def test_what_is_stored_has_one_range() -> None:
    builder = make_builder(stored_bits=8)
    x = builder.tensor("x", (2, 8, 4, 4))
    extent, other = (builder.tensor(name, (), Kind.RANGE) for name in ("range", "other"))

    def body(x: Tensor, slots: object) -> Tensor:
        one, two = (builder.activations(name, x, extent, 1) for name in ("one", "two"))
        assert one.stored is two.stored
        with pytest.raises(ParameterError, match="range of x: got 'other', allowed: range"):
            builder.activations("three", x, other, 1)
        return x

    builder.block("block", x, body)
