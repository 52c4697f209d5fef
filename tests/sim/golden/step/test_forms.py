"""z and what is made of it, against fractions: activations, residual, mask."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.normalized import WIDE, Format, inner_format, outer_format
from fractrain.sim.golden.step import forward


def rounded(x: Fraction) -> int:
    return math.floor(x + Fraction(1, 2))


@given(st.integers(-(1 << 31), (1 << 31) - 1), st.integers(1, 16))
def test_activations(z: int, bits: int) -> None:
    exact = rounded(Fraction(z, 1 << (19 - bits)))
    found = int(forward.round_activations(np.array([z]), bits)[0])
    assert found == min(max(exact, 0), (1 << bits) - 1)


@pytest.mark.parametrize("bits", range(1, 9))
def test_the_range_ends_at_the_greatest_activation(bits: int) -> None:
    extent = 3.7
    z = np.array([math.floor(extent / forward.unit_of_z(extent, bits) + 0.5)])
    assert forward.round_activations(z, bits)[0] == (1 << bits) - 1
    for residual_bits in (8, 12, 16):
        r = forward.round_activations(z, residual_bits)[0]
        real = r * forward.residual_scale(extent, bits, residual_bits)
        assert abs(real / extent - 1) < 2e-3
        step = forward.residual_scale(extent, bits, residual_bits)
        assert step == extent / ((1 << bits) - 1) / 2 ** (residual_bits - bits)


@pytest.mark.parametrize("residual_bits", [8, 9, 16])
@pytest.mark.parametrize("bits", [3, 4, 8])
def test_a_residual_counts_in_z_what_it_is_worth(bits: int, residual_bits: int) -> None:
    before, now = 2.9, 4.3
    scale = forward.residual_scale(before, bits, residual_bits)
    unit = forward.unit_of_z(now, bits)
    factor = forward.residual_factor(scale, unit, residual_bits)
    shift = forward.residual_shift(residual_bits)
    r = np.arange(1 << residual_bits).reshape(-1, 1, 1, 1)
    z = forward.form([], (r, factor, shift))
    assert np.abs(z * unit - r * scale).max() < 2e-4 * now


def test_two_batch_norms_and_a_residual_add_up() -> None:
    rng = np.random.default_rng(1)
    x1, x2 = rng.integers(-2047, 2048, (2, 2, 3, 4, 4))
    r = rng.integers(0, 256, (2, 3, 4, 4))
    one, two = (
        forward.term(rng.normal(size=3), rng.normal(size=3), WIDE, forward.unit_of_z(3.0, 8))
        for _ in range(2)
    )
    z = forward.form([(x1, one), (x2, two)], (r, 4000, 0))
    parts = [forward.form([(x1, one)]), forward.form([(x2, two)]), 4000 * r]
    assert np.array_equal(z, sum(parts))
    for g, b, x in ((one.factor, one.offset, x1),):
        assert parts[0][1, 2, 3, 0] == g[2] * x[1, 2, 3, 0] + b[2]


@given(st.integers(-2047, 2047), st.integers(4, 8), st.sampled_from([3, 4]))
def test_keeping_fewer_bits(x: int, bits: int, range_bits: int) -> None:
    form = Format(bits, bits - range_bits)
    exact = rounded(Fraction(x, 1 << (8 - form.fraction)))
    found = int(forward.keep(np.array([x]), form)[0])
    assert found == min(max(exact, -form.most), form.most)


def test_formats() -> None:
    assert [inner_format(b).fraction for b in (4, 7, 8, 11)] == [0, 3, 4, 7]
    assert [outer_format(b).fraction for b in (4, 6, 8)] == [1, 3, 5]
    assert inner_format(10, 3) == Format(10, 7)
    for bits, range_bits in ((11, 3), (8, 2), (8, 5)):
        with pytest.raises(ParameterError, match="of x̂"):
            inner_format(bits, range_bits)
    for make, bits in ((inner_format, 3), (inner_format, 12), (outer_format, 3), (outer_format, 9)):
        with pytest.raises(ParameterError, match="bits of x̂"):
            make(bits)


def test_small_gammas_keep_their_precision() -> None:
    """1/30 of the range, at the end of a block, whatever the bits: within 1.5 percent."""
    for bits in range(1, 9):
        unit = forward.unit_of_z(3.0, bits)
        factor = int(forward.term(np.array([0.1]), np.array([0.0]), WIDE, unit).factor[0])
        assert abs(factor * unit * 256 / 0.1 - 1) < 0.015
