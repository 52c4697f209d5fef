"""A layer of one's own: its operation, its kernel and its way back are all that it takes."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from fractrain.host.arithmetic import IntegerArithmetic
from fractrain.host.execution.kernels import KERNELS
from fractrain.host.graph.backward import Errors, WayBack, rule
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.operations import Operation
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.selection import FixedSelector
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision
from tests.host.execution.alone import There, carry_out
from tests.host.execution.finite_differences import numerical_gradient


@dataclass(frozen=True, eq=False)
class Square(Operation):
    """y = x²."""

    x: Tensor
    y: Tensor
    reads: ClassVar[tuple[str, ...]] = ("x",)
    makes: ClassVar[tuple[str, ...]] = ("y",)


@dataclass(frozen=True, eq=False)
class SquareBackward(Operation):
    """dx = 2·e·x."""

    e: Tensor
    x: Tensor
    dx: Tensor
    reads: ClassVar[tuple[str, ...]] = ("e", "x")
    makes: ClassVar[tuple[str, ...]] = ("dx",)


@rule(Square, through=["x"])
def _way_back(way: WayBack, operation: Square, e: Tensor) -> Errors:
    dx = way.builder.tensor(f"{operation.name}.back", e.shape)
    way.builder.emit(SquareBackward(dx.name, operation.slot, e, operation.x, dx))
    return [(operation.x, dx)]


@KERNELS.register(Square)
def _forward(run: Any, step: Square) -> None:
    run.put(step.y, run.value(step.x) ** 2)


@KERNELS.register(SquareBackward)
def _backward(run: Any, step: SquareBackward) -> None:
    run.put(step.dx, 2 * run.value(step.e) * run.value(step.x))


class NobodyKnows(Square):
    """The same, registered nowhere."""


def squared(kind: type[Square] = Square) -> Any:
    def emit(builder: Builder, x: Tensor) -> Tensor:
        """x² + x: both readers of x go back."""
        y = builder.tensor("square.y", x.shape)
        builder.emit(kind("square", None, x, y))
        return builder.add("sum", y, x)

    return emit


def through(x: np.ndarray, integers: IntegerArithmetic, **more: Any) -> There:
    return carry_out(squared(**more), x, integers)


def test_it_goes_there_and_back(integers: IntegerArithmetic, rng: np.random.Generator) -> None:
    x, e = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))

    def loss() -> float:
        return float((through(x, integers).y * e).sum())

    there = through(x, integers)
    np.testing.assert_allclose(there.y, x**2 + x)
    np.testing.assert_allclose(there.back(e), numerical_gradient(loss, x), rtol=1e-6)


def test_in_a_slot_it_is_skipped(integers: IntegerArithmetic, rng: np.random.Generator) -> None:
    def emit(builder: Builder, x: Tensor) -> Tensor:
        def body(x: Tensor, slots: Any) -> Tensor:
            y = builder.tensor("square.y", x.shape)
            builder.emit(Square("square", slots.chosen, x, y))
            return builder.add("sum", y, x)

        return builder.block("block", x, body)

    x, e = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    skipped = carry_out(emit, x, integers, selector=FixedSelector(Precision(0, 0, 0)))
    np.testing.assert_array_equal(skipped.y, x)
    np.testing.assert_array_equal(skipped.back(e), e)


def test_who_does_not_know_it_says_so(integers: IntegerArithmetic) -> None:
    x = np.ones((2, 2))
    with pytest.raises(ParameterError, match="square: got 'NobodyKnows', .*the way back knows"):
        through(x, integers, kind=NobodyKnows)
    with pytest.raises(ParameterError, match="square: got 'NobodyKnows', .*the executor knows"):
        carry_out(squared(NobodyKnows), x, integers, training=False)
