"""Two layers with nothing between them, and layers that no backend can multiply."""

import numpy as np
import pytest

from fractrain.host.arithmetic import IntegerArithmetic, PublishedArithmetic
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.choice import Choice, Path
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.parameter import Parameter
from fractrain.hw.contract.errors import ParameterError
from tests.host.execution.alone import WIDEST, Chosen, carry_out


class Row:
    """Unquantized 1x1 convolutions, each of so many groups."""

    def __init__(self, *groups: int) -> None:
        rng, self.groups = np.random.default_rng(3), groups
        self.weights = [
            Parameter(f"w{place}", rng.normal(size=(4, 4 // each, 1, 1)).astype(np.float32))
            for place, each in enumerate(groups)
        ]

    def parameters(self) -> list[Parameter]:
        return self.weights

    def emit(self, builder: Builder, x: Tensor) -> Tensor:
        for place, (weight, groups) in enumerate(zip(self.weights, self.groups, strict=True)):
            x = builder.convolve(f"layer{place}", x, weight, 1, 0, 0, groups)
        return x


def images() -> np.ndarray:
    return np.random.default_rng(4).normal(size=(2, 4, 3, 3)).astype(np.float32)


def test_unquantized_layers_in_a_row(published: PublishedArithmetic) -> None:
    row, x = Row(1, 1), images()
    gated = Chosen(Choice((Path(WIDEST),)))
    there = carry_out(row.emit, x, published, row, selector=gated)
    first, second = (each.value[:, :, 0, 0] for each in row.weights)
    expected = np.einsum("kc,cd,ndhw->nkhw", second, first, x)
    np.testing.assert_allclose(there.y, expected, rtol=1e-4, atol=1e-4)
    e = images()
    back = np.einsum("kc,cd,nkhw->ndhw", second, first, e)
    np.testing.assert_allclose(there.back(e), back, rtol=1e-4, atol=1e-4)


def test_groups_are_refused_by_the_layers_name(
    published: PublishedArithmetic, integers: IntegerArithmetic
) -> None:
    row = Row(1, 2)
    with pytest.raises(ParameterError, match="groups of layer1: got 2, allowed: 1"):
        carry_out(row.emit, images(), published, row)

    def emit(builder: Builder, x: Tensor) -> Tensor:
        return row.emit(builder, builder.pixels(8, 1.0))

    with pytest.raises(ParameterError, match="groups of layer.: got 2, allowed: 1"):
        carry_out(emit, images(), integers, row)
