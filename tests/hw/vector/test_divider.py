"""The rounded division: every short numerator by every divisor, and the definition's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.vector.divider import RoundingDivider
from fractrain.sim.golden.step.rounding import round_divide
from tests.hw.refusals import assert_refused
from tests.hw.verilator import Player

SMALL, REAL = (8, 3, 8), (43, 17, 25)


def divided(player: Player, numerators: np.ndarray, divisors: np.ndarray) -> np.ndarray:
    """Each started as the one before is done; checks when that is."""
    unit = player.design
    assert isinstance(unit, RoundingDivider)
    period = unit.latency_cycles
    start = np.zeros(period * len(numerators) + 1, np.int64)
    start[:-1:period] = 1
    repeated = {
        "numerator": np.append(np.repeat(numerators, period), 0),
        "divisor": np.append(np.repeat(divisors, period), 1),
    }
    found = player.play(start=start, **repeated)
    done = np.flatnonzero(found["done"])
    assert np.array_equal(done, np.arange(1, len(numerators) + 1) * period)
    bits = len(unit.quotient)
    values = found["quotient"][done].astype(np.int64)
    return values - (values >> (bits - 1) << bits)


def test_every_short_numerator() -> None:
    player = Player(RoundingDivider(*SMALL), "vector_divider_small")
    x, n = (each.ravel() for each in np.meshgrid(np.arange(-128, 128), np.arange(1, 8)))
    assert np.array_equal(divided(player, x, n), round_divide(x, 2 * n))


@pytest.fixture(scope="module")
def player() -> Player:
    return Player(RoundingDivider(*REAL), "vector_divider")


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(0, 1 << 30))
def test_means(player: Player, count: int, seed: int) -> None:
    """32 · S of every size and length of chunk, at halves and beside them."""
    rng = np.random.default_rng(seed)
    n = rng.integers(1, (1 << 17) - 1, count, endpoint=True) >> rng.integers(0, 17, count)
    n = np.maximum(n, 1)
    most = (n << 25) - 1
    whole = rng.integers(-(1 << 24) + 1, (1 << 24) - 1, count) * 2 * n
    near = whole + n * rng.integers(-1, 2, count) + rng.integers(-1, 2, count)
    drawn = rng.integers(-most, most)
    x = np.clip(np.where(rng.random(count) < 0.5, near, drawn), -most, most - n)
    x = np.clip(x, -(1 << 42), (1 << 42) - 1)
    assert np.array_equal(divided(player, x, n), round_divide(x, 2 * n))


def test_refusals() -> None:
    assert_refused(lambda: RoundingDivider(8, 4, 3), "at least 4")
    assert_refused(lambda: RoundingDivider(8, 0, 3), "at least 1")
