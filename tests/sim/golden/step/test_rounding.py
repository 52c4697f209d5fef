"""Rounding, saturation and real factors, against fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fractrain.sim.golden.step.rounding import (
    clip_symmetric,
    round_divide,
    round_randomly,
    round_shift,
    saturate,
    scale_to,
)
from fractrain.sim.golden.step.scales import (
    clip_levels,
    exponent,
    multiplier,
    narrow_shift,
    to_integers,
    to_unsigned,
)

INT = st.integers(-(1 << 63), (1 << 63) - 1)


def rounded(x: Fraction) -> int:
    return math.floor(x + Fraction(1, 2))


@given(INT, st.integers(0, 80))
@example((1 << 63) - 1, 1)
@example(-(1 << 63), 1)
@example((1 << 63) - 1, 63)
@example(-(1 << 63), 64)
def test_round_shift(x: int, shift: int) -> None:
    assert int(round_shift(np.array([x]), shift)[0]) == rounded(Fraction(x, 1 << shift))


@given(INT, st.integers(-100, 80), st.sampled_from([2, 16, 18, 24, 32, 33]))
def test_scale_to(x: int, shift: int, bits: int) -> None:
    exact = rounded(Fraction(x) / Fraction(2) ** shift)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    assert int(scale_to(np.array([x]), shift, bits)[0]) == min(max(exact, low), high)


@given(st.integers(-(1 << 62), 1 << 62), st.integers(1, 1 << 17))
def test_round_divide(x: int, n: int) -> None:
    assert int(round_divide(np.array([x]), np.array([n]))[0]) == rounded(Fraction(x, n))


def test_small_divisions_are_exhausted() -> None:
    x, n = np.arange(-200, 201)[:, None], np.arange(1, 40)
    expected = [[rounded(Fraction(int(a), int(b))) for b in n] for a in x.ravel()]
    assert np.array_equal(round_divide(x, n), expected)


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_saturation(bits: int) -> None:
    x = np.arange(-300, 301)
    top = (1 << (bits - 1)) - 1
    assert set(saturate(x, bits)) == set(range(-top - 1, top + 1))
    assert set(clip_symmetric(x, bits)) == set(range(-top, top + 1))
    assert set(clip_levels(x, bits)) == set(range(-top, top + 1))
    assert set(clip_levels(x, 1)) == {-1, 0}


@pytest.mark.parametrize("shift", [9, 12, 20])
def test_random_rounding_has_no_bias(shift: int) -> None:
    """The mean over all 256 random numbers is the number itself, rounded to 1/256."""
    u = np.arange(256, dtype=np.uint8)
    for x in [*range(-40, 41), -(1 << shift), (1 << shift) - 1, (5 << shift) + 77, -12345]:
        each = round_randomly(np.full(256, x), shift, u)
        assert set(each) <= {x >> shift, (x >> shift) + 1}
        assert int(each.sum()) == rounded(Fraction(x * 256, 1 << shift))
    assert not round_randomly(np.zeros(256, np.int64), shift, u).any()


@given(st.floats(2.0**-200, 2.0**200))
def test_multiplier(factor: float) -> None:
    by = multiplier(factor)
    assert 1 << 16 <= by.mantissa < 1 << 17
    nearest = Fraction(by.mantissa) / Fraction(2) ** by.shift
    assert abs(nearest / Fraction(factor) - 1) <= Fraction(1, 1 << 17)


@given(st.floats(2.0**-99, 2.0**99))
def test_exponent(peak: float) -> None:
    assert 1 << 13 <= peak * 2.0 ** -exponent(peak) < 1 << 14
    assert narrow_shift(peak) == max(exponent(peak), -13)


def test_no_history_and_nothing_but_zeros_are_within_range() -> None:
    assert exponent(0.0) == exponent(2.0**-100)
    assert exponent(math.inf) == exponent(2.0**100)
    assert narrow_shift(0.0) == narrow_shift(1.0) == -13


@given(st.floats(-1e12, 1e12), st.sampled_from([16, 18, 30]))
def test_to_integers(x: float, bits: int) -> None:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    expected = min(max(math.floor(x + 0.5), low), high)
    assert int(to_integers(np.array([x]), bits)[0]) == expected
    assert int(to_unsigned(np.array([x]), bits)[0]) == min(
        max(math.floor(x + 0.5), 0), (1 << bits) - 1
    )
