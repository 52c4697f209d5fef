"""Convolutions as matrix products, against the golden model's definition of the convolutions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.lowering import MatrixProduct, lower_error, lower_forward, lower_gradient
from host.shapes import output_size
from sim.golden import definition

Images = np.ndarray


def product(lowered: MatrixProduct) -> np.ndarray:
    return lowered.rows.astype(np.int64) @ lowered.columns.astype(np.int64).T


@st.composite
def geometries(draw: st.DrawFn) -> dict[str, tuple[int, ...]]:
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    padding = draw(st.integers(0, 3))
    size = tuple(max(1, k - 2 * padding) + draw(st.integers(0, 6)) for k in kernel)
    stride = draw(st.integers(1, 3))
    batch, c, k = (draw(st.integers(1, 3)) for _ in range(3))
    return {
        "a": (batch, c, *size),
        "w": (k, c, *kernel),
        "e": (batch, k, *output_size(size, kernel, stride, padding)),
        "step": (stride, padding),
    }


@given(geometries(), st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_lowered_products_are_the_convolutions(
    geometry: dict[str, tuple[int, ...]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 8, geometry["a"])
    w, e = rng.integers(-8, 8, geometry["w"]), rng.integers(-8, 8, geometry["e"])
    stride, padding = geometry["step"]
    size, kernel = a.shape[2:], w.shape[2:]

    y = product(lower_forward(a, w, stride, padding)).reshape(a.shape[0], *e.shape[2:], -1)
    assert np.array_equal(
        y.transpose(0, 3, 1, 2), definition.forward(a, w, stride=stride, padding=padding)
    )

    dx = product(lower_error(e, w, stride, padding, size)).reshape(a.shape[0], *size, -1)
    assert np.array_equal(
        dx.transpose(0, 3, 1, 2),
        definition.error(e, w, stride=stride, padding=padding, input_size=size),
    )

    dw = product(lower_gradient(a, e, stride, padding, kernel)).T.reshape(w.shape)
    assert np.array_equal(
        dw, definition.gradient(a, e, stride=stride, padding=padding, kernel_size=kernel)
    )


@pytest.mark.parametrize("stride", [1, 2])
def test_operands_are_the_three_passes(stride: int) -> None:
    a, w = np.ones((1, 2, 5, 5), int), np.ones((3, 2, 3, 3), int)
    e = np.ones((1, 3, *output_size((5, 5), (3, 3), stride, 1)), int)
    labels = [
        lowered.pass_.label
        for lowered in (
            lower_forward(a, w, stride, 1),
            lower_error(e, w, stride, 1, (5, 5)),
            lower_gradient(a, e, stride, 1, (3, 3)),
        )
    ]
    assert labels == ["forward", "error", "gradient"]
