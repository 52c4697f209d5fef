"""The golden backend: exact sums at all signs of the operands, pieces that lack an operand."""

from itertools import product

import numpy as np
import pytest

from fractrain.host.accelerator import open_accelerator
from fractrain.host.graph.convolution import Convolution
from fractrain.host.graph.geometry import Geometry
from fractrain.host.graph.operations import Convolve
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.tensor import Fixed, Kind, Tensor
from fractrain.hw.contract.precision import Pass, Precision, value_range
from fractrain.sim.golden import definition
from fractrain.sim.golden.exact import FLOAT32_BOUND, product_bound

BITS = (8, 8)


def one_sum(pass_: Pass, terms: int) -> Geometry:
    """Of a convolution whose only result is a sum of ``terms`` products."""
    if pass_ is Pass.FORWARD:
        return Geometry(1, terms, 1, (1, 1), (1, 1))
    if pass_ is Pass.ERROR:
        return Geometry(1, 1, terms, (1, 1), (1, 1))
    return Geometry(1, 1, 1, (1, terms), (1, 1))


def greatest(signed: bool) -> int:
    low, high = value_range(8, signed)
    return low if signed else high


def define(convolution: Convolution, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    geometry = convolution.geometry
    if convolution.pass_ is Pass.FORWARD:
        return definition.forward(row, column, 1, 0)
    if convolution.pass_ is Pass.ERROR:
        return definition.error(row, column, 1, 0, geometry.size)
    return definition.gradient(row, column, 1, 0, geometry.kernel)


@pytest.mark.parametrize("pass_", list(Pass))
@pytest.mark.parametrize("signed", list(product((False, True), repeat=2)))
def test_sums_are_exact_at_all_signs(pass_: Pass, signed: tuple[bool, bool]) -> None:
    """Odd sums a little below 2^24, above it, where float32 has even numbers only, and as long as
    is exact in float32 at the usual signs."""
    most, usual = (
        FLOAT32_BOUND // product_bound(*BITS, x_signed=x, y_signed=y)
        for x, y in (signed, (pass_.row.signed, pass_.column.signed))
    )
    for terms in (most - 1, most + 1, usual - 1):
        convolution = Convolution(pass_, one_sum(pass_, terms | 1), BITS, BITS, signed)
        row = np.full(convolution.row_shape, greatest(signed[0]), np.int64)
        column = np.full(convolution.column_shape, greatest(signed[1]), np.int64)
        row.flat[-1], column.flat[-1] = row.flat[-1] | 1, column.flat[-1] | 1
        expected = define(convolution, row, column)
        assert expected.item() % 2
        with open_accelerator("golden") as golden:
            np.testing.assert_array_equal(golden.convolve(convolution, row, column), expected)


def test_a_convolution_that_lacks_an_operand_is_left_out() -> None:
    geometry, bits = one_sum(Pass.FORWARD, 3), Fixed(8)
    w = Tensor("w", geometry.weights, Kind.WEIGHTS, bits=bits)

    def convolve(name: str) -> Convolve:
        a = Tensor(f"{name}.a", geometry.activations, Kind.ACTIVATIONS, signed=False, bits=bits)
        y = Tensor(f"{name}.y", geometry.errors, Kind.SUMS)
        return Convolve(name, None, Pass.FORWARD, geometry, a, w, y, (bits, bits), name)

    operands = {"here.a": np.full(geometry.activations, 5), "w": np.full(geometry.weights, -2)}
    with open_accelerator("golden") as golden:
        piece = Piece((convolve("missing"), convolve("here")))
        results = golden.run_piece(piece, operands, [Precision(8, 8, 8)])
    assert {name: values.item() for name, values in results.items()} == {"here.y": -30}
