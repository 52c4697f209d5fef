"""x̂ in every number of bits, and what is kept of it, as the definition has them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.normalized import WIDE, Format, inner_format, outer_format
from fractrain.hw.contract.numerics import LIFTED_FRACTION
from fractrain.hw.vector.normalize import Keeper, Normalizer
from fractrain.sim.golden.step import forward
from fractrain.sim.golden.step.forward import Normalizer as Parameters
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import Beats, ends_and_random

LANES = 2
FORMATS = [*(inner_format(bits) for bits in range(4, 12)), WIDE]
Y, MEAN, M = (-(1 << 15), (1 << 15) - 1), (-(1 << 19), (1 << 19) - 1), (0, (1 << 17) - 1)


def lifted(x: np.ndarray, form: Format) -> np.ndarray:
    return x << max(LIFTED_FRACTION - form.fraction, 0)


def normalized(y: np.ndarray, mean: np.ndarray, m: np.ndarray, form: Format) -> np.ndarray:
    """The definition's x̂ of ``y[beats, lanes]``; each beat a chunk."""
    by = Parameters(mean[:, None], m[:, None])
    return forward.normalize(y[:, None, None, :], by, form, 1)[:, 0, 0, :]


@pytest.fixture(scope="module", params=["plain", "primitives"])
def normalizer(request: pytest.FixtureRequest) -> Beats:
    primitives = request.param == "primitives"
    component = Normalizer(LANES, primitives=primitives)
    cycles = {"bits": -1, "normalized": component.latency_cycles}
    return Beats(component, f"vector_normalizer_{request.param}", cycles, models=primitives)


def check(player: Beats, y: np.ndarray, mean: np.ndarray, m: np.ndarray, bits: np.ndarray) -> None:
    found = player.play(numbers=y, mean=mean, reciprocal=m, bits=bits)["normalized"]
    for form in FORMATS:
        at = bits == form.bits
        wanted = lifted(normalized(y[at], mean[at], m[at], form), form)
        assert np.array_equal(found[at], wanted), form


def test_all_ends(normalizer: Beats) -> None:
    """Every combination of the ends, and around every rounding limit near zero."""
    grid = list(product((*Y, -1, 0), (*MEAN, 0, -1, 1), (*M, 1, 64), FORMATS))
    y, mean, m = (np.array([each[place] for each in grid]) for place in range(3))
    bits = np.array([each[3].bits for each in grid])
    check(normalizer, np.stack([y, -1 - y], axis=1), mean, m, bits)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 200), st.integers(0, 1 << 30))
def test_the_definition(normalizer: Beats, beats: int, seed: int) -> None:
    """Means near y and reciprocals of every size, so that x̂ is in its range more often than not."""
    rng = np.random.default_rng(seed)
    y = ends_and_random(rng, *Y, (beats, LANES))
    near = np.clip(16 * y[:, 0] + rng.integers(-4000, 4000, beats), *MEAN)
    mean = np.where(rng.random(beats) < 0.7, near, ends_and_random(rng, *MEAN, beats))
    m = rng.integers(0, M[1], beats, endpoint=True) >> rng.integers(0, 12, beats)
    check(normalizer, y, mean, m, rng.integers(4, 13, beats))


def test_every_difference_near_a_limit(normalizer: Beats) -> None:
    """M = 2^k: products step through the halves and limits of each format."""
    for k in range(6, 17):
        steps = np.arange(-600, 600)
        form = FORMATS[k % len(FORMATS)]
        low = 26 - form.fraction - k  # x̂ steps by 1 where 16y − μ' steps by 2^low
        difference = (steps << max(low - 2, 0)) + (form.most << max(low, 0))
        for sign in (-1, 1):
            each = np.clip(sign * difference, -(1 << 19), (1 << 19) - 1)
            y, mean = each >> 4, (each >> 4 << 4) - each
            beats = np.stack([y, y], axis=1)
            check(normalizer, beats, mean, np.full(len(y), 1 << k), np.full(len(y), form.bits))


def test_everything_that_can_be_kept() -> None:
    """All x̂ of 12 bits, of both forms."""
    keeper = Keeper(1)
    player = Beats(keeper, "vector_keeper", {"wide": -1, "bits": -1, "kept": Keeper.latency_cycles})
    x = np.arange(-WIDE.most, WIDE.most + 1)
    for bits in range(4, 9):
        found = player.play(normalized=x, wide=np.ones_like(x), bits=np.full_like(x, bits))
        form = outer_format(bits)
        assert np.array_equal(found["kept"][:, 0], lifted(forward.keep(x, form), form)), bits
    x = np.arange(-inner_format(11).most, inner_format(11).most + 1)
    found = player.play(normalized=x, wide=np.zeros_like(x), bits=np.full_like(x, 8))
    assert np.array_equal(found["kept"][:, 0], x)


def test_refusals() -> None:
    assert_refused(lambda: Normalizer(0), "at least 1")
    assert_refused(lambda: Keeper(0), "at least 1")
