"""Errors of another tensor: every shift, every size, in both forms of a DSP slice."""

import numpy as np
import pytest

from fractrain.hw.vector.move import Mover
from fractrain.sim.golden.step import backward
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import Beats, ends_and_random

COUNT, BEATS = 2, 400
STAYS = 10
"""Beats before and after those that are looked at."""
E = (-(1 << 15), (1 << 15) - 1)


@pytest.fixture(scope="module", params=["plain", "primitives"])
def mover(request: pytest.FixtureRequest) -> Beats:
    primitives = request.param == "primitives"
    each = Mover(COUNT, primitives=primitives)
    cycles = {"results": each.latency_cycles}
    return Beats(each, f"vector_mover_{request.param}", cycles, models=primitives)


@pytest.mark.parametrize("shift", [-64, *range(-26, 20), 63])
def test_the_definition(mover: Beats, shift: int, rng: np.random.Generator) -> None:
    numbers = ends_and_random(rng, *E, (BEATS, COUNT))
    # around what saturates, and around halves
    near = (1 << min(14, max(0, 23 + shift))) + rng.integers(-2, 3, numbers.shape)
    halves = (2 * rng.integers(-4, 4, numbers.shape) + 1 << max(0, min(shift - 1, 12))) - 1
    kind = rng.integers(0, 4, numbers.shape)
    numbers = np.choose(kind, [numbers, near, -near, halves + rng.integers(0, 3, numbers.shape)])
    found = mover.play(numbers=numbers, shift=[shift] * BEATS)["results"]
    inside = slice(STAYS, -STAYS)
    assert np.array_equal(found[inside], backward.move(numbers, shift)[inside])


def test_refusals() -> None:
    assert_refused(lambda: Mover(0), "numbers")
