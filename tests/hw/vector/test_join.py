"""E of one to four parts, sums and streams in any order, and y, as the definitions have them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.numerics import CONVOLVED_BITS, MAX_JOINED, NARROW_BITS
from fractrain.hw.vector.join import Joiner
from fractrain.sim.golden.step import backward, forward
from fractrain.sim.golden.step.scales import Multiplier, narrow_shift
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import Beats, ends_and_random

COUNT = 2
STAYS = 20
"""Beats before and after those that are looked at, at least a joiner's latency."""
Parts = list[dict[str, object]]
E = (-(1 << 15), (1 << 15) - 1)


def beats_of(joiner: Joiner, name: str, *, models: bool = False, ahead: int = 0) -> Beats:
    """``ahead``: cycles that the results of a narrowing joiner are earlier."""
    cycles = {"preshift": -1, "mask": joiner.mask_cycle - ahead}
    cycles["earlier"] = joiner.earlier_cycle
    cycles |= {"totals": joiner.total_cycles - ahead, "errors": joiner.latency_cycles - ahead}
    return Beats(joiner, name, cycles, models=models)


@pytest.fixture(scope="module", params=["plain", "primitives", "short"])
def joiner(request: pytest.FixtureRequest) -> tuple[Beats, int]:
    """And the bits of its numbers."""
    primitives = request.param == "primitives"
    bits = 32 if request.param == "short" else CONVOLVED_BITS
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
        "numbers": 0 * e if late else e,
        "earlier": e if late else 0 * e,
        "mantissa": 1 << 16,
        "shift": min(max(16 + shift, Joiner.LEAST_SHIFT), Joiner.MOST_SHIFT),
        "part": backward.move(e, shift),
    }


def check(player: Beats, sets: list[Parts], masks: np.ndarray) -> None:
    inputs = ("preshift", "numbers", "mantissa", "shift")
    parts = [part for each in sets for part in each]
    beats = {name: np.array([part[name] for part in parts]) for name in inputs}
    nothing = np.zeros(COUNT, np.int64)
    beats["earlier"] = np.array([part.get("earlier", nothing) for part in parts])
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


@pytest.fixture(scope="module", params=["plain", "primitives", "wide"])
def narrower(request: pytest.FixtureRequest) -> tuple[Beats, int]:
    """A joiner that narrows, and the bits of its sums: those that count, or all that it takes."""
    primitives = request.param == "primitives"
    bits = 42 if request.param == "wide" else CONVOLVED_BITS
    each = Joiner(COUNT, bits, primitives=primitives)
    name = f"vector_narrower_{request.param}"
    return beats_of(each, name, models=primitives, ahead=each.ahead_cycles), bits


@pytest.mark.parametrize("shift", [*range(-18, 18), *range(18, 46, 3), 42, 70])
def test_narrow(narrower: tuple[Beats, int], shift: int, rng: np.random.Generator) -> None:
    """Sums of all sizes, around halves and limits, all beats with one shift, which stays."""
    player, bits = narrower
    half, beats = 1 << bits - 1, 300
    sums = ends_and_random(rng, -half, half - 1, (beats, COUNT))
    around = rng.integers(-3, 4, sums.shape)
    limits = rng.choice([-(1 << 15), (1 << 15) - 1, 0, 1 << 14], sums.shape)
    if 1 <= shift < bits:
        near = (2 * limits + 1 << shift - 1) + around
        sums = np.where(rng.random(sums.shape) < 0.4, near.clip(-half, half - 1), sums)
    mask = rng.integers(0, 1 << COUNT, beats)
    given_shift = min(max(shift, Joiner.LEAST_NARROW), Joiner.MOST_SHIFT)
    anything = {
        name: rng.integers(0, most, beats)
        for name, most in (("mantissa", 1 << 17), ("preshift", 8), ("first", 2))
    }
    found = player.play(
        narrows=np.ones(beats), numbers=sums, shift=[given_shift] * beats, mask=mask, **anything
    )
    y = forward.narrow(sums, shift) * (mask[:, None] >> np.arange(COUNT) & 1)
    inside = slice(STAYS, -STAYS)
    assert np.array_equal(found["errors"][inside], y[inside]) and NARROW_BITS == 16


def test_every_shift_that_a_peak_gives(narrower: tuple[Beats, int]) -> None:
    """Sums as large as in the step before have 14 bits then."""
    player, bits = narrower
    for peak in (0.0, 1.0, *(2.0**k for k in range(1, bits - 1)), 2.0 ** (bits - 1) - 1):
        shift = narrow_shift(peak)
        assert Joiner.LEAST_NARROW <= shift <= Joiner.MOST_SHIFT
        sums = np.array([[int(peak), -int(peak)]] * (2 * STAYS + 1))
        still = {"narrows": np.ones(len(sums)), "shift": [shift] * len(sums)}
        found = player.play(numbers=sums, mask=np.full(len(sums), 3), **still)["errors"][STAYS]
        assert np.array_equal(found, forward.narrow(sums[STAYS], shift))
        assert not peak or np.abs(found).min() >= 1 << 13


def test_refusals() -> None:
    assert_refused(lambda: Joiner(1, 25), "26..42")
    assert_refused(lambda: Joiner(1, 43), "26..42")
    assert_refused(lambda: Joiner(0, 32), "count")
