"""E of one to four parts, sums and streams in any order, as the definition has it."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.numerics import MAX_JOINED
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.vector.join import Joiner
from fractrain.sim.golden.step import backward
from fractrain.sim.golden.step.scales import Multiplier
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import Beats, ends_and_random

COUNT = 2
Parts = list[dict[str, object]]
E = (-(1 << 15), (1 << 15) - 1)


def beats_of(joiner: Joiner, name: str, *, models: bool = False) -> Beats:
    cycles = {"preshift": -1, "mask": joiner.mask_cycle}
    cycles |= dict.fromkeys(("earlier", "use_earlier"), joiner.earlier_cycle)
    cycles |= {"totals": joiner.total_cycles, "errors": joiner.latency_cycles}
    return Beats(joiner, name, cycles, models=models)


@pytest.fixture(scope="module", params=["plain", "primitives", "short"])
def joiner(request: pytest.FixtureRequest) -> tuple[Beats, int]:
    """And the bits of its numbers."""
    primitives = request.param == "primitives"
    bits = 32 if request.param == "short" else SUM_BITS
    each = Joiner(COUNT, bits, primitives=primitives)
    return beats_of(each, f"vector_joiner_{request.param}", models=primitives), bits


def of_sums(sums: np.ndarray, bound: int, by: Multiplier) -> dict[str, object]:
    """A part of a convolution whose sums are ``bound`` at most: as it goes in, and what it is."""
    before = backward.preshift(bound)
    return {
        "preshift": before,
        "numbers": sums,
        "mantissa": by.mantissa,
        "shift": min(max(by.shift, Joiner.LEAST_SHIFT), Joiner.MOST_SHIFT),
        "part": backward.scale_sums(sums, before, by),
    }


def of_stream(e: np.ndarray, shift: int, *, late: bool = False) -> dict[str, object]:
    """A part of another tensor's error; ``late``: of numbers that are not there at once."""
    return {
        "preshift": 0,
        "numbers": ~e if late else e,
        "earlier": e if late else ~e,
        "use_earlier": int(late),
        "mantissa": 1 << 16,
        "shift": min(max(16 + shift, Joiner.LEAST_SHIFT), Joiner.MOST_SHIFT),
        "part": backward.move(e, shift),
    }


def check(player: Beats, sets: list[Parts], masks: np.ndarray) -> None:
    inputs = ("preshift", "numbers", "mantissa", "shift")
    parts = [part for each in sets for part in each]
    beats = {name: np.array([part[name] for part in parts]) for name in inputs}
    nothing = {"earlier": np.full(COUNT, -1), "use_earlier": 0}
    beats |= {
        name: np.array([part.get(name, none) for part in parts]) for name, none in nothing.items()
    }
    lengths = [len(each) for each in sets]
    beats["first"] = np.concatenate([[1] + [0] * (length - 1) for length in lengths])
    beats["mask"] = np.repeat((masks << np.arange(COUNT)).sum(axis=1), lengths)
    found = player.play(**beats)
    ends = np.cumsum(lengths) - 1
    for end, each, mask in zip(ends, sets, masks, strict=True):
        summed = [mask * part["part"] for part in each]
        assert np.array_equal(found["totals"][end], backward.total(summed))
        assert np.array_equal(found["errors"][end], backward.join(summed))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.lists(st.tuples(st.booleans(), st.integers(-30, 90)), min_size=1, max_size=MAX_JOINED),
        min_size=1,
        max_size=12,
    ),
    st.integers(0, 1 << 30),
)
def test_the_definition(
    joiner: tuple[Beats, int], shapes: list[list[tuple[bool, int]]], seed: int
) -> None:
    """Sums of every bound, multipliers and moves of every shift."""
    player, bits = joiner
    rng = np.random.default_rng(seed)
    sets = []
    for shape in shapes:
        parts: Parts = []
        for stream, shift in shape:
            if stream:
                late = bool(rng.integers(0, 2))
                parts.append(of_stream(ends_and_random(rng, *E, COUNT), shift - 30, late=late))
                continue
            bound = int(rng.integers(1, 1 << int(rng.integers(2, bits)))) % ((1 << bits - 1) - 128)
            sums = ends_and_random(rng, -bound, max(bound, 1), COUNT)
            mantissa = int(ends_and_random(rng, 1 << 16, (1 << 17) - 1, 1)[0])
            parts.append(
                of_sums(np.clip(sums, -bound, bound), max(bound, 1), Multiplier(mantissa, shift))
            )
        sets.append(parts)
    check(player, sets, rng.integers(0, 2, (len(sets), COUNT)))


def test_all_ends(joiner: tuple[Beats, int]) -> None:
    """Every shift of the largest and the smallest products, and every pre-shift."""
    player, bits = joiner
    sets: list[Parts] = []
    for shift, mantissa in product(range(-12, 64), (1 << 16, (1 << 17) - 1)):
        for value in (1, (1 << 24) - 1):
            sums = np.array([value, -value])
            sets.append([of_sums(sums, (1 << 24) - 1, Multiplier(mantissa, shift))])
    for extra in range(bits - 24):
        bound = ((1 << 24) - 1) << extra
        for low in (0, -1, 1, -(1 << extra >> 1), 1 - (1 << extra >> 1)):
            sums = np.array([bound + low, -bound - low]).clip(-bound, bound)
            sets.append([of_sums(sums, bound, Multiplier(1 << 16, 24))])
    for shift in range(-40, 30):
        sets.append([of_stream(np.array(E), shift)] * MAX_JOINED)
        sets.append([of_stream(np.array(E), shift, late=True)] * MAX_JOINED)
        sets.append([of_stream(np.array([1, -1]), shift)])
    check(player, sets, np.ones((len(sets), COUNT), np.int64))


def test_refusals() -> None:
    assert_refused(lambda: Joiner(1, 25), "at least 26")
    assert_refused(lambda: Joiner(0, 32), "count")
