"""Sums of channels: every pair of short numbers in every lane, and the definition's moments."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.normalized import Format, inner_format, outer_format
from fractrain.hw.contract.numerics import LIFTED_FRACTION
from fractrain.hw.vector.reduce import ChannelSum, Reducer
from fractrain.sim.golden.step import backward, forward
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import Beats, ends_and_random

LANES, CHANNELS = 8, 5
FORMATS = [*(inner_format(bits) for bits in range(4, 12)), *(outer_format(b) for b in range(4, 9))]


def beats_of(reducer: Reducer, name: str, *, models: bool = False) -> Beats:
    cycles = {"total": reducer.total_cycles, "product": reducer.product_cycles}
    return Beats(reducer, name, cycles, models=models)


@pytest.fixture(scope="module", params=["plain", "primitives"])
def reducer(request: pytest.FixtureRequest) -> Beats:
    primitives = request.param == "primitives"
    component = Reducer(LANES, CHANNELS, primitives=primitives)
    return beats_of(component, f"vector_reducer_{request.param}", models=primitives)


def reduced(beats: dict[str, Any]) -> tuple[list[int], list[int]]:
    """The formulas, beat by beat, in Python's integers."""
    sums = [[0, 0] for _ in range(CHANNELS)]
    totals, products = [], []
    for beat in range(len(beats["valid"])):
        each = sums[beats["channel"][beat]]
        numbers = [int(v) for v in beats["numbers"][beat]]
        factors = beats["normalized"][beat] if beats["correlate"][beat] else numbers
        if beats["valid"][beat]:
            old = [0, 0] if beats["first"][beat] else each
            each[0] = old[0] + sum(numbers)
            each[1] = old[1] + sum(v * int(w) for v, w in zip(numbers, factors, strict=True))
        totals.append(each[0])
        products.append(each[1])
    return totals, products


def test_every_pair_in_every_lane() -> None:
    bits = 3
    small = Reducer(LANES, CHANNELS, number_bits=bits, normalized_bits=bits)
    values = np.arange(-(1 << bits - 1), 1 << bits - 1)
    v, x = (each.ravel() for each in np.meshgrid(values, values))
    rng = np.random.default_rng(5)
    count = len(v) * LANES
    numbers, normalized = rng.choice(values, (2, 2 * count, LANES))
    for lane in range(LANES):
        for kind in range(2):
            at = slice((2 * lane + kind) * len(v), (2 * lane + kind + 1) * len(v))
            numbers[at, lane], normalized[at, lane] = v, x
    beats = {
        "valid": np.ones(2 * count, np.int64),
        "channel": np.zeros(2 * count, np.int64),
        "first": np.ones(2 * count, np.int64),
        "correlate": np.repeat(np.tile([0, 1], LANES), len(v)),
        "numbers": numbers,
        "normalized": normalized,
    }
    found = beats_of(small, "vector_reducer_small").play(**beats)
    totals, products = reduced(beats)
    assert found["total"].tolist() == totals and found["product"].tolist() == products


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 300), st.integers(1, CHANNELS), st.integers(0, 1 << 30))
def test_any_order_of_channels(reducer: Beats, count: int, channels: int, seed: int) -> None:
    """The same channel at once, after one, after many; beats that do not count show the sums."""
    rng = np.random.default_rng(seed)
    beats = {
        "valid": (rng.random(count) < 0.8).astype(np.int64),
        "channel": rng.integers(0, channels, count),
        "first": (rng.random(count) < 0.1).astype(np.int64),
        "correlate": rng.integers(0, 2, count),
        "numbers": ends_and_random(rng, -(1 << 15), (1 << 15) - 1, (count, LANES)),
        "normalized": ends_and_random(rng, 1 - (1 << 10), (1 << 10) - 1, (count, LANES)),
    }
    begin = np.arange(channels)  # sums are anything before they begin
    for name, value in (("valid", 1), ("first", 1), ("channel", begin)):
        beats[name] = np.concatenate([np.zeros(channels, np.int64) + value, beats[name]])
    for name in ("correlate", "numbers", "normalized"):
        beats[name] = np.concatenate([beats[name][:1].repeat(channels, axis=0), beats[name]])
    found = reducer.play(**beats)
    totals, products = reduced(beats)
    assert found["total"].tolist() == totals and found["product"].tolist() == products


def in_beats(tensor: np.ndarray) -> np.ndarray:
    """``tensor[N,C,H,W]`` as beats of pixels, channels one after the other: [beats, lanes]."""
    return tensor.transpose(0, 2, 3, 1).reshape(-1, LANES, tensor.shape[1]).swapaxes(1, 2)


@pytest.mark.parametrize("form", FORMATS, ids=str)
def test_the_definitions_moments(reducer: Beats, form: Format, rng: np.random.Generator) -> None:
    """D from Σy and Σy²; T₁, and T₂ from lifted x̂, of whole chunks."""
    shape = (3, CHANNELS, 8, 2 * LANES)
    v = ends_and_random(rng, -(1 << 15), (1 << 15) - 1, shape)
    x = ends_and_random(rng, -form.most, form.most, shape)
    numbers = in_beats(v).reshape(-1, LANES)
    lifted = in_beats(x << LIFTED_FRACTION - form.fraction).reshape(-1, LANES)
    count = len(numbers)
    channel = np.arange(count) % CHANNELS
    last = {}
    for correlate in (0, 1):
        found = reducer.play(
            valid=np.ones(count, np.int64),
            channel=channel,
            first=np.arange(count) < CHANNELS,
            correlate=np.full(count, correlate),
            numbers=numbers,
            normalized=lifted,
        )
        last[correlate] = found["total"][-CHANNELS:], found["product"][-CHANNELS:]
    moments, errors = forward.moments(v, 3), backward.error_moments(v, x, 3)
    n = int(moments.pixels.item())
    assert np.array_equal(last[0][0], moments.total[0])
    squares = last[0][1]
    assert np.array_equal(n * squares - last[0][0] ** 2, moments.dispersion[0].astype(np.int64))
    assert np.array_equal(last[1][0], errors.total[0])
    shift = LIFTED_FRACTION - form.fraction
    assert np.array_equal(last[1][1], errors.product[0] << shift)


def test_the_longest_chunk_fits() -> None:
    """n = 2^17 of the greatest magnitudes: the words hold, unsigned and signed."""
    reducer = Reducer(32, 2)
    player = beats_of(reducer, "vector_reducer_32")
    count = (1 << 17) // 32
    for v, x, correlate in ((-(1 << 15), 0, 0), (-(1 << 15), 1023, 1), (-(1 << 15), -1023, 1)):
        found = player.play(
            valid=np.ones(count, np.int64),
            channel=np.zeros(count, np.int64),
            first=np.arange(count) == 0,
            correlate=np.full(count, correlate),
            numbers=np.full((count, 32), v),
            normalized=np.full((count, 32), x),
        )
        assert found["total"][-1] == v << 17
        wanted = (v * (x if correlate else v)) << 17
        assert int(found["product"][-1]) % (1 << 48) == wanted % (1 << 48)


def test_refusals() -> None:
    for lanes in (0, 4, 9):
        assert_refused(lambda lanes=lanes: Reducer(lanes, 4), "a multiple of 4")
    assert_refused(lambda: Reducer(8, 0), "at least 1")
    assert ChannelSum.latency_cycles == 2
