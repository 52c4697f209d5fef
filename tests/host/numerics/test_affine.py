"""The published quantizer against values by hand and against its own formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fractrain.host.numerics.affine import quantize, quantize_per_filter, tensor_range


def test_by_hand() -> None:
    """Two bits over −1 .. 2: steps of 1, ties to even, nothing outside."""
    x = np.array([-3, -1, -0.6, -0.4, 0.5, 1.4, 1.5, 2, 9], np.float32)
    y = quantize(np, x, 2, np.array([-1, 2], np.float32))
    assert y.tolist() == [-1, -1, -1, 0, 1, 1, 1, 2, 2]


def test_both_ends_are_exact() -> None:
    x = np.array([-0.3, 0.1, 0.7], np.float32)
    for bits in (1, 2, 5, 8):
        y = quantize(np, x, bits, tensor_range(np, x.reshape(1, 3)))
        np.testing.assert_allclose(y[[0, 2]], x[[0, 2]], rtol=1e-6)


def test_a_constant_stays() -> None:
    x = np.full(5, 3, np.float32)
    np.testing.assert_array_equal(quantize(np, x, 4, np.array([3, 3], np.float32)), x)


@given(st.integers(2, 8), st.integers(0, 2**32))
def test_is_within_half_a_step(bits: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=50).astype(np.float32)
    extent = np.array([x.min(), x.max()])
    step = (extent[1] - extent[0]) / (2**bits - 1)
    assert np.abs(quantize(np, x, bits, extent) - x).max() <= step * 0.5001


def test_stochastic_rounding_is_right_on_average() -> None:
    """Noise of −1/2 .. 1/2 before rounding: a quarter of a step up is rounded up one time in 4."""
    fractions = np.random.default_rng(0).random(20000, np.float32)
    x = np.full(20000, 1.25, np.float32)
    y = quantize(np, x, 2, np.array([0, 3], np.float32), fractions)
    assert set(y) == {1, 2}
    assert y.mean() == pytest.approx(1.25, abs=0.01)


def test_every_filter_has_its_own_range() -> None:
    w = np.random.default_rng(1).normal(size=(3, 2, 3, 3)).astype(np.float32)
    w[1] *= 100
    together = quantize_per_filter(np, w, 3)
    for filter_, expected in zip(w, together, strict=True):
        alone = quantize(np, filter_, 3, np.array([filter_.min(), filter_.max()]))
        np.testing.assert_array_equal(alone, expected)
        assert len(np.unique(expected)) <= 8


def test_ranges() -> None:
    x = np.array([[0, 5, 1], [1, 2, 3]], np.float32).reshape(2, 1, 1, 3)
    assert tensor_range(np, x).tolist() == [0, 5]
