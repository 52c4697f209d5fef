"""W and e in every number of bits, with every random byte, as the definition has them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.normalized import Format, inner_format, outer_format
from fractrain.hw.contract.numerics import LIFTED_FRACTION
from fractrain.hw.vector.apply import Applier
from fractrain.sim.golden.step import backward
from fractrain.sim.golden.step.backward import Slopes
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import Beats, ends_and_random

LANES = 2
FORMATS = [*(inner_format(bits) for bits in range(4, 12)), *(outer_format(b) for b in range(4, 9))]
E, MEAN = (-(1 << 15), (1 << 15) - 1), (-(1 << 19), (1 << 19) - 1)
A, SLOPE = (-(1 << 17), (1 << 17) - 1), (1 - (1 << 24), (1 << 24) - 1)
WIDTHS = range(1, 13)


@pytest.fixture(scope="module", params=["plain", "primitives"])
def applier(request: pytest.FixtureRequest) -> Beats:
    primitives = request.param == "primitives"
    each = Applier(LANES, primitives=primitives)
    cycles = {"bits": each.BITS_CYCLE, "random": each.RANDOM_CYCLE}
    cycles |= dict.fromkeys(("slope", "normalized"), each.SLOPE_CYCLE)
    cycles |= {"sums": each.sum_cycles, "errors": each.latency_cycles}
    return Beats(each, f"vector_applier_{request.param}", cycles, models=primitives)


def check(player: Beats, beats: dict[str, np.ndarray], forms: list[Format]) -> None:
    """``beats`` with x̂ as the definition has it."""
    lifts = np.array([LIFTED_FRACTION - form.fraction for form in forms])
    x = beats["normalized"]
    found = player.play(**beats | {"normalized": x << lifts[:, None]})
    for lift in set(lifts.tolist()):
        at = lifts == lift
        pixels = (-1, 1, 1, LANES)
        by = Slopes(*(beats[name][at, None] for name in ("mean", "factor", "slope")), lift)
        wide = backward.apply(beats["numbers"][at].reshape(pixels), x[at].reshape(pixels), by, 1)
        assert np.array_equal(found["sums"][at], wide[:, 0, 0])
        random = beats["random"][at].astype(np.uint8)
        for bits in set(beats["bits"][at].tolist()):
            here = beats["bits"][at] == bits
            errors = backward.round_errors(wide[here, 0, 0], bits, random[here])
            assert np.array_equal(found["errors"][at][here], errors << 12 - bits), bits


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 200), st.integers(0, 1 << 30))
def test_the_definition(applier: Beats, count: int, seed: int) -> None:
    """Factors of every size, so that errors of every width are in their range."""
    rng = np.random.default_rng(seed)
    forms = [FORMATS[i] for i in rng.integers(0, len(FORMATS), count)]
    most = np.array([form.most for form in forms])[:, None]
    shrink = rng.integers(0, 18, (2, count))
    beats = {
        "bits": rng.integers(1, 13, count),
        "numbers": ends_and_random(rng, *E, (count, LANES)),
        "mean": ends_and_random(rng, *MEAN, count),
        "factor": ends_and_random(rng, *A, count) >> shrink[0],
        "slope": ends_and_random(rng, *SLOPE, count) >> shrink[1],
        "normalized": np.clip(ends_and_random(rng, -1023, 1023, (count, LANES)), -most, most),
        "random": rng.integers(0, 256, (count, LANES)),
    }
    check(applier, beats, forms)


def test_all_ends(applier: Beats) -> None:
    grid = list(product(E, MEAN, A, SLOPE, FORMATS, (1, 6, 12), (0, 255)))
    columns = [np.array([each[place] for each in grid]) for place in (0, 1, 2, 3, 5, 6)]
    forms = [each[4] for each in grid]
    most = np.array([form.most for form in forms])
    names = ("numbers", "mean", "factor", "slope", "bits", "random")
    beats = dict(zip(names, columns, strict=True))
    beats["numbers"] = np.stack([beats["numbers"], -1 - beats["numbers"]], axis=1)
    beats["random"] = np.stack([beats["random"]] * LANES, axis=1)
    beats["normalized"] = np.stack([most, -most], axis=1)
    check(applier, beats, forms)


def test_every_byte_at_every_width(applier: Beats) -> None:
    """W around a multiple of a step of e, below and above; 0 stays 0."""
    for bits in WIDTHS:
        low = 32 - bits
        parts = np.array([-1, 0, 1, -(1 << low - 9), 1 << low - 9, 1 << low - 1, 3 << low - 8])
        steps = (np.arange(-2, 3)[:, None] << low) + parts
        wide, random = (each.ravel() for each in np.meshgrid(steps, np.arange(256)))
        # in two parts: E·16·2^16, and B̄ with x̂ = 1
        upper = (wide + (1 << 23)) >> 24
        slope = wide - (upper << 24)
        count = len(wide)
        beats = {
            "bits": np.full(count, bits),
            "numbers": np.stack([upper << 4, 0 * upper], axis=1),
            "mean": np.zeros(count, np.int64),
            "factor": np.full(count, 1 << 16),
            "slope": np.clip(slope, *SLOPE),
            "normalized": np.ones((count, LANES), np.int64),
            "random": np.stack([random, random], axis=1),
        }
        check(applier, beats, [inner_format(11)] * count)


def test_refusals() -> None:
    assert_refused(lambda: Applier(0), "at least 1")
