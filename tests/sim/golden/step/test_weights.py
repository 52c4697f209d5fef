"""Weights in integers against fractions and against SGD in float64."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fractrain.sim.golden.step import weights
from fractrain.sim.golden.step.scales import multiplier, signed_levels

MASTER = st.integers(-(1 << 31), (1 << 31) - 1)


@given(MASTER, st.integers(1, 8), st.floats(1e-6, 100))
def test_quantization(w: int, bits: int, extent: float) -> None:
    scale = weights.weight_scale(extent, bits)
    by = multiplier(2.0**-28 / scale)
    exact = math.floor(Fraction(w * by.mantissa) / Fraction(2) ** by.shift + Fraction(1, 2))
    levels = signed_levels(bits)
    most = 0 if bits == 1 else levels
    found = int(weights.quantize_weights(np.array([w]), bits, scale)[0])
    assert found == min(max(exact, -levels), most)
    if bits > 1:
        real = min(max(w * 2.0**-28 / scale, -levels), levels)
        assert abs(found - real) <= 0.5 + levels * 2.0**-16


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_the_extremes_of_a_tensor_are_the_greatest_levels(bits: int) -> None:
    w = weights.to_master(np.array([-0.31, 0.0, 0.31, 0.07]))
    scale = weights.weight_scale(weights.greatest(w), bits)
    q = weights.quantize_weights(w, bits, scale)
    assert list(q[:3]) == [-signed_levels(bits), 0, signed_levels(bits)]


def test_masters_saturate_and_zeros_stay() -> None:
    assert list(weights.to_master(np.array([-9.0, 9.0, 0.25]))) == [
        -(1 << 31),
        (1 << 31) - 1,
        1 << 26,
    ]
    zeros = np.zeros(5, np.int64)
    assert weights.greatest(zeros) == weights.deviation(zeros) == 0
    assert not weights.quantize_weights(zeros, 4, weights.weight_scale(0.0, 4)).any()
    assert weights.greatest(zeros[:0]) == weights.deviation(zeros[:0]) == 0


@pytest.mark.parametrize("size", [0.3, 0.01, 0.002])
def test_deviation(size: float) -> None:
    w = weights.to_master(np.random.default_rng(0).normal(0, size, 5000))
    true = math.sqrt(float(np.mean((w * 2.0**-28) ** 2)))
    assert abs(weights.deviation(w) / true - 1) < 2e-3


def test_fifty_updates_beside_float64() -> None:
    rng = np.random.default_rng(2)
    real = rng.normal(0, 0.1, 400)
    w, v = weights.to_master(real), np.zeros(400, np.int64)
    velocity = np.zeros(400)
    scale, bound = 3.7e-7, 1 << 36
    for step in range(50):
        sums = rng.integers(-(1 << 20), 1 << 20, 400)
        rate = 0.1 * (1 - step / 50)
        rule = weights.update_rule(scale, bound, momentum=0.9, decay=1e-4, rate=rate)
        assert rule.before == 6
        w, v = weights.update(w, v, sums, rule, rng.integers(0, 256, 400, np.uint8))
        velocity = 0.9 * velocity + 1e-4 * real + scale * sums
        real = real - rate * velocity
    assert np.abs(w * 2.0**-28 - real).max() < 2e-6 + 1e-4 * np.abs(real).max()
    assert np.abs(v * 2.0**-26 - velocity).max() < 1e-4 * np.abs(velocity).max()


def test_a_rate_moves_a_weight_by_the_mean_it_should() -> None:
    """Over all random numbers, to 1/256 of a step; and nothing moves for a velocity of 0."""
    u = np.arange(256, dtype=np.uint8)
    rule = weights.update_rule(1.0, 1, momentum=1.0, decay=0.0, rate=0.003)
    assert rule.rate is not None
    for velocity in (-1000, -1, 0, 1, 77, 12345):
        w, v = weights.update(np.zeros(256, np.int64), np.full(256, velocity), None, rule, u)
        assert (v == velocity).all()
        exact = Fraction(velocity * rule.rate.mantissa, 1 << rule.rate.shift)
        assert -int(w.sum()) == math.floor(exact * 256 + Fraction(1, 2))


def test_constants_of_zero_do_nothing() -> None:
    rule = weights.update_rule(0.0, 5, momentum=0.0, decay=0.0, rate=0.0)
    one = np.array([123])
    w, v = weights.update(one, one, one, rule, np.array([255], np.uint8))
    assert (int(w[0]), int(v[0])) == (123, 0)
