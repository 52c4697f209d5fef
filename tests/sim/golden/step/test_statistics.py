"""Statistics of channels, mixed with running ones or not: against fractions and real roots."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fractrain.sim.golden.step import forward
from fractrain.sim.golden.step.forward import Mix
from tests.sim.golden.step import extremes, traced
from tests.sim.golden.step.traced import Trace

Y = st.integers(-(1 << 15), (1 << 15) - 1)
CHANNEL = st.lists(st.tuples(st.one_of(Y, st.integers(-50, 50)), st.integers(1, 3)), min_size=1)


def root_of(radicand: Fraction) -> float:
    return math.sqrt(radicand.numerator / radicand.denominator)


@given(CHANNEL)
def test_mean_and_reciprocal(pixels: traced.Pixels) -> None:
    y = extremes.array(pixels)
    found = forward.moments(y, len(y))
    by = forward.normalizer(found)
    n = len(y)
    mean = Fraction(int(y.sum()), n)
    variance = Fraction(int((y * y).sum()), n) - mean**2
    assert int(found.dispersion.item()) == variance * n**2
    assert int(by.mean.item()) == math.floor(16 * mean + Fraction(1, 2))
    true = (1 << 22) / max(32.0, root_of(variance))
    assert abs(int(by.reciprocal.item()) - true) <= 0.5 + 1.6e-5 * true or true > (1 << 17) - 3


@given(CHANNEL, st.integers(0, 255), st.integers(-(1 << 19), (1 << 19) - 1), st.data())
def test_mixed_statistics(
    pixels: traced.Pixels, share: int, mean: int, data: st.DataObject
) -> None:
    variance = data.draw(st.one_of(st.integers(0, 5000), st.integers(0, (1 << 30) - 1)))
    y = extremes.array(pixels)
    found = forward.moments(y, len(y))
    extremes.mixed(Trace(), found, pixels, share, mean, variance)
    by = forward.normalizer(found, Mix(share, np.array([mean]), np.array([variance])))
    plain = forward.normalizer(found)
    if share == 0:
        assert by.mean == plain.mean and by.reciprocal == plain.reciprocal and by.offset == 0
    weight = Fraction(share, 256)
    mixed = weight * mean + (1 - weight) * int(plain.mean.item())
    assert int(by.mean.item()) == math.floor(mixed + Fraction(1, 2))


def test_half_a_step_of_the_mixed_variance_counts() -> None:
    """n = 1, where a step of the radicand is a step of the variance."""
    y = np.zeros((1, 1, 1, 1), np.int64)
    found = forward.moments(y, 1)
    for share in (64, 128, 192):
        for variance in range(8192, 8192 + 9):
            extremes.mixed(Trace(), found, [(0, 1)], share, 0, variance)
