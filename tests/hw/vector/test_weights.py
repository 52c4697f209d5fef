"""Quantized weights, and what their ranges are made of, as the definition has them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.numerics import MASTER_BITS
from fractrain.hw.vector.quantize import WeightQuantizer
from fractrain.hw.vector.weight_statistics import WeightStatistics
from fractrain.sim.golden.step import weights
from fractrain.sim.golden.step.rounding import scale_to
from fractrain.sim.golden.step.scales import Multiplier, clip_levels, multiplier
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import Beats, ends_and_random

LANES = 2
WORD = (-(1 << 31), (1 << 31) - 1)
MANTISSAS = (1 << 16, (1 << 17) - 1)


@pytest.fixture(scope="module", params=["plain", "primitives"])
def quantizer(request: pytest.FixtureRequest) -> Beats:
    primitives = request.param == "primitives"
    each = WeightQuantizer(LANES, primitives=primitives)
    cycles = {"results": each.latency_cycles}
    return Beats(each, f"vector_quantizer_{request.param}", cycles, models=primitives)


def check(player: Beats, w: np.ndarray, by: list[Multiplier], bits: np.ndarray) -> None:
    """``w`` [beats, lanes], each beat with a factor and bits of its own."""
    least, most = WeightQuantizer.LEAST_SHIFT, WeightQuantizer.MOST_SHIFT
    found = player.play(
        weights=w,
        mantissa=np.array([each.mantissa for each in by]),
        shift=np.array([min(max(each.shift, least), most) for each in by]),
        bits=bits,
    )["results"]
    for row, each, b, got in zip(w, by, bits.tolist(), found, strict=True):
        exact = scale_to(row * each.mantissa, each.shift, MASTER_BITS)
        assert np.array_equal(got, clip_levels(exact, b)), (row, each, b)


def test_every_shift_and_width(quantizer: Beats) -> None:
    values = (*WORD, -1, 0, 1, 1 << 15, -(1 << 15), (1 << 15) - 1, 1 << 22, -3 << 21)
    cases = list(product(range(0, 60), MANTISSAS, values, range(1, 9)))
    w = np.array([[value, -1 - value] for _, _, value, _ in cases])
    by = [Multiplier(mantissa, shift) for shift, mantissa, _, _ in cases]
    check(quantizer, w, by, np.array([bits for *_, bits in cases]))


def test_every_level_and_half(quantizer: Beats) -> None:
    """w·2^16·2^−k steps by a quarter through all levels."""
    for bits in range(1, 9):
        quarters = np.arange(-4 * (1 << bits), 4 * (1 << bits) + 1)
        for low in (0, 20):
            w = np.stack([quarters << low, (quarters << low) - (low > 0)], axis=1)
            by = [Multiplier(1 << 16, 18 + low)] * len(w)
            check(quantizer, w, by, np.full(len(w), bits))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(2.0**-30, 16.0), min_size=1, max_size=60), st.integers(0, 1 << 30))
def test_the_definition(quantizer: Beats, extents: list[float], seed: int) -> None:
    """With scales as ranges give them."""
    rng = np.random.default_rng(seed)
    w = ends_and_random(rng, *WORD, (len(extents), LANES))
    bits = rng.integers(1, 9, len(extents))
    scales = [weights.weight_scale(x, int(b)) for x, b in zip(extents, bits, strict=True)]
    by = [multiplier(weights.WEIGHT_STEP / scale) for scale in scales]
    check(quantizer, w, by, bits)
    for row, scale, b in zip(w, scales, bits.tolist(), strict=True):
        same = multiplier(weights.WEIGHT_STEP / scale)
        exact = scale_to(row * same.mantissa, same.shift, MASTER_BITS)
        assert np.array_equal(weights.quantize_weights(row, b, scale), clip_levels(exact, b))


@pytest.fixture(scope="module", params=[(1, "plain"), (5, "plain"), (5, "primitives")], ids=str)
def statistics(request: pytest.FixtureRequest) -> tuple[Beats, int, int]:
    """And its lanes, and its cycles from `collect` to `done`."""
    lanes, form = request.param
    each = WeightStatistics(lanes, primitives=form == "primitives")
    cycles = each.collect_cycles
    name = f"vector_weight_statistics_{lanes}_{form}"
    return Beats(each, name, {}, models=form == "primitives"), lanes, cycles


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.integers(0, 1 << 30))
def test_statistics(statistics: tuple[Beats, int, int], beats: int, seed: int) -> None:
    """Of two tensors, one after the other."""
    player, lanes, cycles = statistics
    rng = np.random.default_rng(seed)
    part = beats + cycles + 1
    w = ends_and_random(rng, *WORD, (2 * part, lanes))
    take = (rng.random((2 * part, lanes)) < rng.choice([0.2, 1.0])).astype(np.int64)
    clear, collect = np.zeros((2, 2 * part), np.int64)
    for start in (0, part):
        take[start + beats : start + part] = 0
        clear[start], collect[start + beats - 1] = 1, 1
    found = player.play(
        weights=w, take=(take << np.arange(lanes)).sum(axis=1), clear=clear, collect=collect
    )
    for start in (0, part):
        at = start + beats - 1 + cycles
        tensor = w[start : start + beats][take[start : start + beats] == 1]
        assert found["done"][at] and not found["done"][start + 1 : at].any()
        assert found["greatest"][at] * weights.WEIGHT_STEP == weights.greatest(tensor)
        mean = int(found["squares"][at]) / max(1, tensor.size)
        assert np.sqrt(mean) * 2.0**-12 == weights.deviation(tensor)


def test_the_largest_tensor() -> None:
    """2^17 of the least weight: the sum fits."""
    lanes, count = 8, 1 << 14
    each = WeightStatistics(lanes)
    player = Beats(each, "vector_weight_statistics_8", {})
    total = count + each.collect_cycles + 1
    taken = np.arange(total) < count
    found = player.play(
        weights=np.full((total, lanes), WORD[0]),
        take=taken * 255,
        clear=np.arange(total) == 0,
        collect=np.arange(total) == count - 1,
    )
    assert found["squares"][-1] == 1 << 47 and found["greatest"][-1] == 1 << 31


def test_refusals() -> None:
    assert_refused(lambda: WeightQuantizer(0), "at least 1")
    assert_refused(lambda: WeightStatistics(0), "at least 1")
