"""Quantizers: their levels and scales by hand, rounding by its rule, extremes of the widths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.host.numerics.quantization import (
    Quantized,
    StochasticRounding,
    dequantize,
    quantize_activations,
    quantize_errors,
    quantize_weights,
    signed_range,
)
from fractrain.hw.contract.precision import value_range


def array(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


class FixedRounding(StochasticRounding):
    """Rounds with the same fraction everywhere."""

    def __init__(self, fraction: float) -> None:
        self._fraction = fraction

    def fractions(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.full(shape, self._fraction, np.float32)


def test_activations_by_hand() -> None:
    # 3 bits: 7 levels over 14, so one step is 2; 5 and 9 are ties and go to the even level.
    q = quantize_activations(np, array(0, 0.9, 1.1, 5, 9, 14, 20), 3, np.float32(14))
    assert q.integers.tolist() == [0, 0, 1, 2, 4, 7, 7]
    assert q.integers.dtype == np.int32
    assert (float(q.scale), q.bits) == (2.0, 3)


def test_weights_by_hand() -> None:
    # 3 bits: ±3 levels over 6, so one step is 2; -4 is not used although the width has it.
    q = quantize_weights(np, array(-6, -5, -3, -0.9, 0, 1, 3, 5.1, 6), 3)
    assert q.integers.tolist() == [-3, -2, -2, 0, 0, 0, 2, 3, 3]
    assert float(q.scale) == 2.0


def test_errors_by_hand() -> None:
    x = array(-6, -1, 0, 1, 2.5, 6)
    # In steps of 2: -3, -0.5, 0, 0.5, 1.25, 3. Whole numbers stay, the others go both ways.
    up = quantize_errors(np, x, 3, FixedRounding(0.0))
    assert up.integers.tolist() == [-3, 0, 0, 1, 2, 3]
    down = quantize_errors(np, x, 3, FixedRounding(1 - 2**-24))
    assert down.integers.tolist() == [-3, -1, 0, 0, 1, 3]
    between = quantize_errors(np, x, 3, FixedRounding(0.4))
    assert between.integers.tolist() == [-3, 0, 0, 1, 1, 3]


def test_one_signed_bit_keeps_what_is_negative() -> None:
    q = quantize_weights(np, array(-4, -3, -1, 0, 2, 4), 1)
    assert q.integers.tolist() == [-1, -1, 0, 0, 0, 0]
    assert float(q.scale) == 4.0
    e = quantize_errors(np, array(-4, -1, 4), 1, FixedRounding(0.9))
    assert e.integers.tolist() == [-1, -1, 0]


def test_one_unsigned_bit() -> None:
    q = quantize_activations(np, array(0, 1, 3, 4), 1, np.float32(4))
    assert q.integers.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("bits", range(1, 17))
def test_every_width_reaches_its_ends_and_no_further(bits: int) -> None:
    rng = np.random.default_rng(bits)
    x = rng.normal(size=4000).astype(np.float32)
    low, high = signed_range(bits)
    assert value_range(bits, signed=True)[0] <= low <= high <= value_range(bits, signed=True)[1]
    for q in (
        quantize_weights(np, x, bits),
        quantize_errors(np, x, bits, StochasticRounding(0, 0)),
    ):
        assert q.integers.min() >= low and q.integers.max() <= high
        assert max(-int(q.integers.min()), int(q.integers.max())) == max(-low, high)
    positive = np.maximum(x, 0)
    q = quantize_activations(np, positive, bits, positive.max())
    assert (q.integers.min(), q.integers.max()) == (0, (1 << bits) - 1)


@given(st.integers(2, 16), st.integers(0, 2**32 - 1), st.floats(1e-20, 1e20))
@settings(max_examples=60, deadline=None)
def test_nearest_is_within_half_a_step_and_stochastic_within_one(
    bits: int, seed: int, size: float
) -> None:
    x = (np.random.default_rng(seed).normal(size=50) * size).astype(np.float32)
    nearest = quantize_weights(np, x, bits)
    # 2^-8 of a step for float32's own rounding at 16 bits
    assert np.abs(x / nearest.scale - nearest.integers).max() <= 0.5 + 2**-8
    stochastic = quantize_errors(np, x, bits, StochasticRounding(seed, 1))
    assert np.abs(x / stochastic.scale - stochastic.integers).max() <= 1 + 2**-8


def test_stochastic_rounding_is_unbiased() -> None:
    x = np.append(np.full(100_000, 0.3, np.float32), np.float32(3))  # 3 bits: the step is 1
    q = quantize_errors(np, x, 3, StochasticRounding(5, 0))
    # standard deviation of the mean: sqrt(0.3 * 0.7 / 1e5) = 0.0014
    assert abs(q.integers[:-1].mean() - 0.3) < 0.007


def test_stochastic_rounding_depends_on_seed_and_step_only() -> None:
    def draw(seed: int, step: int) -> list[float]:
        rounding = StochasticRounding(seed, step)
        return [*rounding.fractions((3,)), *rounding.fractions((2,))]

    assert draw(1, 2) == draw(1, 2)
    assert len({tuple(draw(*key)) for key in [(1, 2), (2, 1), (1, 3), (0, 0)]}) == 4


def test_zeros_stay_zeros() -> None:
    zeros = np.zeros(5, np.float32)
    for q in (
        quantize_activations(np, zeros, 8, zeros.max()),
        quantize_weights(np, zeros, 8),
        quantize_errors(np, zeros, 8, StochasticRounding(0, 0)),
    ):
        assert not q.integers.any()
        assert np.isfinite(q.scale)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_fits_and_shows(bad: float) -> None:
    x, w = array(1, bad, 2), quantize_weights(np, array(1, 2, 3), 4)
    with np.errstate(invalid="ignore"):
        for q in (
            quantize_weights(np, x, 4),
            quantize_errors(np, x, 4, StochasticRounding(0, 0)),
            quantize_activations(np, x, 4, np.abs(x).max()),
        ):
            assert -7 <= q.integers.min() and q.integers.max() <= 15
            assert not np.isfinite(dequantize(np, np.array([1, 2]), q, w)).any()


def test_dequantize_is_the_product_of_the_scales() -> None:
    x = Quantized(np.array([1]), np.float32(0.5), 4)
    y = Quantized(np.array([1]), np.float32(0.25), 4)
    real = dequantize(np, np.array([8, -16], np.int64), x, y)
    assert real.dtype == np.float32
    assert real.tolist() == [1.0, -2.0]
