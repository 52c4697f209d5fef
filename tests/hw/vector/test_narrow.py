"""Narrowing both ways: every sum at a small width, the definition's own at the real one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.numerics import NARROW_BITS
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.vector.align import Aligner
from fractrain.hw.vector.narrow import Narrower
from fractrain.sim.golden.step import forward
from fractrain.sim.golden.step.rounding import scale_to
from fractrain.sim.golden.step.scales import narrow_shift
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import Beats, ends_and_random

SMALL_BITS, SMALL_RESULT = 9, 4
COUNT = 2


def beats_of(component: Narrower, name: str) -> Beats:
    return Beats(component, name, {"shift": -1, "results": component.latency_cycles})


@pytest.fixture(scope="module")
def narrower() -> Beats:
    return beats_of(Narrower(COUNT), "vector_narrower")


def test_every_sum_and_shift_at_a_small_width() -> None:
    narrower = Narrower(1, SMALL_BITS, SMALL_RESULT)
    half = 1 << (SMALL_BITS - 1)
    shifts = range(narrower.least_shift, narrower.most_shift + 1)
    sums, shift = (each.ravel() for each in np.meshgrid(np.arange(-half, half), shifts))
    found = beats_of(narrower, "vector_narrower_small").play(sums=sums, shift=shift)
    for s in shifts:
        at = shift == s
        wanted = scale_to(sums[at], s, SMALL_RESULT)
        assert np.array_equal(found["results"][at, 0], wanted), s


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-70, 80), min_size=1, max_size=30), st.integers(0, 1 << 30))
def test_the_definition(narrower: Beats, shifts: list[int], seed: int) -> None:
    """Each sum has a shift of its own; one beyond those of the component counts as the nearest."""
    rng = np.random.default_rng(seed)
    half = 1 << (SUM_BITS - 1)
    sums = ends_and_random(rng, -half, half - 1, (len(shifts), COUNT))
    around = rng.integers(-3, 4, sums.shape)  # of a half, a limit, a saturated limit
    for row, s in zip(sums, shifts, strict=True):
        if 1 <= s <= 31 and rng.random() < 0.5:
            limit = rng.choice([-(1 << 15), (1 << 15) - 1, 0, 1 << 14])
            row[:] = (2 * limit + 1 << s - 1) + around[0]
    encoded = [max(min(s, SUM_BITS), 1 - NARROW_BITS) for s in shifts]
    found = narrower.play(sums=sums, shift=encoded)["results"]
    for got, row, s in zip(found, sums, shifts, strict=True):
        assert np.array_equal(got, forward.narrow(row, s)), s


def test_every_shift_that_a_peak_gives(narrower: Beats) -> None:
    peaks = [0.0, 1.0, *(2.0**k for k in range(47)), 2.0**47 - 1]
    shifts = [narrow_shift(peak) for peak in peaks]
    assert min(shifts) >= 1 - NARROW_BITS and max(shifts) <= SUM_BITS
    sums = np.array([[int(peak), -int(peak)] for peak in peaks])
    found = narrower.play(sums=sums, shift=shifts)["results"]
    wanted = [forward.narrow(row, s) for row, s in zip(sums, shifts, strict=True)]
    assert np.array_equal(found, wanted)
    assert np.abs(found[1:]).min() >= 1 << 13 and NARROW_BITS == 16


def test_refusals() -> None:
    assert_refused(lambda: Narrower(0), "count")
    assert_refused(lambda: Aligner(1, 8, 4, left=0, right=0), "at least two")
    assert_refused(lambda: Aligner(1, 8, 0, left=1, right=1), "bits kept")
