"""Products of 32 bits, and the update of weights, as the definition has them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.numerics import RANDOM_BITS, UPDATE_TERM_BITS
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.vector.scale import NEAREST, Scaler
from fractrain.hw.vector.update import FACTORS, INTERVAL, Updater, update_factors, weights_layout
from fractrain.sim.golden.step import weights
from fractrain.sim.golden.step.rounding import round_randomly, saturate, scale_to
from fractrain.sim.golden.step.scales import Multiplier
from fractrain.sim.golden.step.weights import UpdateRule
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import Beats, ends_and_random, pack
from tests.hw.verilator import Player, primitive_models

LANES = 2
WORD = (-(1 << 31), (1 << 31) - 1)
MANTISSAS = (1 << 16, (1 << 17) - 1)
SHIFTS = range(Scaler.LEAST_SHIFT, 70)


def encoded(by: Multiplier | None) -> dict[str, int]:
    if by is None:
        return {"mantissa": 0, "shift": 0}
    return {"mantissa": by.mantissa, "shift": min(by.shift, Scaler.MOST_SHIFT)}


# -- one product -------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["plain", "primitives"])
def scaler(request: pytest.FixtureRequest) -> Beats:
    primitives = request.param == "primitives"
    each = Scaler(LANES, primitives=primitives)
    cycles = {"noise": each.noise_cycle, "terms": each.latency_cycles}
    return Beats(each, f"vector_scaler_{request.param}", cycles, models=primitives)


def check_terms(
    player: Beats, numbers: np.ndarray, by: list[Multiplier], ones: np.ndarray, noise: np.ndarray
) -> None:
    """``noise`` [beats, lanes]: −1 rounds to nearest, else the random byte."""
    codes = [encoded(each) for each in by]
    found = player.play(
        numbers=numbers,
        ones=(ones << np.arange(LANES)).sum(axis=1),
        mantissa=np.array([each["mantissa"] for each in codes]),
        shift=np.array([each["shift"] for each in codes]),
        noise=np.where(noise < 0, NEAREST, 2 * noise + 1),
    )["terms"]
    for row, each, plus, got, random in zip(numbers, by, ones, found, noise, strict=True):
        for x, one, term, u in zip(row, plus, got, random, strict=True):
            exact = (int(x) + int(one)) * each.mantissa
            if u < 0 or each.shift <= RANDOM_BITS:
                wanted = scale_to(exact, each.shift, UPDATE_TERM_BITS)
            else:
                byte = np.array(u, np.uint8)
                wanted = round_randomly(exact, min(each.shift, 62), byte)
                wanted = saturate(wanted, UPDATE_TERM_BITS)
            if u < 0 or each.shift > RANDOM_BITS:
                assert term == wanted, (x, one, each, u)


def test_every_shift(scaler: Beats) -> None:
    values = [*WORD, -1, 0, 1, (1 << 17) - 1, 1 << 17, -(1 << 17)]
    cases = list(product(SHIFTS, MANTISSAS, values, (-1, 0, 255)))
    numbers = np.array([[value, -1 - value] for _, _, value, _ in cases])
    by = [Multiplier(mantissa, shift) for shift, mantissa, _, _ in cases]
    noise = np.array([[u, u] for *_, u in cases])
    check_terms(scaler, numbers, by, np.zeros_like(numbers), noise)
    carried = numbers < WORD[1]
    check_terms(scaler, numbers, by, carried.astype(np.int64), noise)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(SHIFTS), min_size=1, max_size=60), st.integers(0, 1 << 30))
def test_products(scaler: Beats, shifts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (len(shifts), LANES)
    numbers = ends_and_random(rng, *WORD, shape)
    ones = rng.integers(0, 2, shape) * (numbers < WORD[1])
    by = [Multiplier(int(rng.integers(*MANTISSAS, endpoint=True)), shift) for shift in shifts]
    noise = np.where(rng.random(shape) < 0.5, -1, rng.integers(0, 256, shape))
    check_terms(scaler, numbers, by, ones, noise)


# -- the update --------------------------------------------------------------------------------


class Bench:
    def __init__(self, form: str) -> None:
        self.unit = Updater(LANES, primitives=form == "primitives")
        models = primitive_models() if form == "primitives" else ""
        self.player = Player(self.unit, f"vector_updater_{form}", models=models)

    def check(
        self, rule: UpdateRule, given: dict[str, np.ndarray], valid: np.ndarray, u: np.ndarray
    ) -> None:
        """``given`` [groups, lanes]; where ``valid``, weights enter in their group's cycles."""
        unit, groups = self.unit, len(valid)
        at = (1 + np.arange(groups)) * INTERVAL
        cycles = at[-1] + unit.latency_cycles + INTERVAL
        packed = pack(given, weights_layout(LANES), groups)
        payload = np.zeros((cycles, packed.shape[1]), np.uint8)
        offered, random = np.zeros(cycles, np.int64), np.zeros((cycles, LANES), np.int64)
        payload[at], offered[at], random[at + unit.random_cycle] = packed, valid, u
        factors = {name: encoded(getattr(rule, name)) for name in FACTORS}
        constants = {
            name: {key: np.full(cycles, value) for key, value in each.items()}
            for name, each in factors.items()
        }
        constants["preshift"] = np.full(cycles, rule.before)
        found = self.player.play(
            factors=pack(constants, update_factors(), cycles),
            weights__valid=offered,
            weights__payload=payload,
            random=pack(random, unit.random.shape(), cycles),
        )
        ready = np.flatnonzero(found["weights__ready"])
        assert np.array_equal(ready, np.arange(len(ready)) * INTERVAL)
        entered = at[valid == 1]
        assert np.array_equal(np.flatnonzero(found["moved"]), entered + unit.momentum_cycles)
        assert np.array_equal(np.flatnonzero(found["done"]), entered + unit.latency_cycles)
        w, v = weights.update(
            given["weights"], given["momenta"], given["sums"], rule, u.astype(np.uint8)
        )
        for group in np.flatnonzero(valid):
            moved = found["momenta"][at[group] + unit.momentum_cycles]
            result = found["results"][at[group] + unit.latency_cycles]
            assert words(moved) == v[group].tolist()
            assert words(result) == w[group].tolist()
        last = entered[-1] if len(entered) else -unit.latency_cycles
        assert not found["busy"][last + unit.latency_cycles + 1 :].any()
        for start in entered:
            assert found["busy"][start + 1 : start + unit.latency_cycles + 1].all()


def words(packed: np.ndarray) -> list[int]:
    """Two numbers of 32 bits."""
    value = int(packed)
    parts = [value >> 32 * lane & 0xFFFFFFFF for lane in range(LANES)]
    return [part - (part >> 31 << 32) for part in parts]


@pytest.fixture(scope="module", params=["plain", "primitives"])
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(request.param)


def multiplier(draw: st.DrawFn) -> Multiplier | None:
    shift = draw(st.one_of(st.none(), st.integers(10, 40), st.sampled_from(SHIFTS)))
    if shift is None:
        return None
    return Multiplier(draw(st.sampled_from((*MANTISSAS, 100_003))), shift)


@st.composite
def rules(draw: st.DrawFn) -> UpdateRule:
    factors = [multiplier(draw) for _ in FACTORS]
    by = dict(zip(FACTORS, factors, strict=True))
    return UpdateRule(before=draw(st.integers(0, Updater.MOST_PRESHIFT)), **by)


def sums_of(rng: np.random.Generator, before: int, shape: tuple[int, int]) -> np.ndarray:
    """Of 32 bits after their shift."""
    bound = min((((1 << 31) - 1) << before) + (1 << before >> 1) - 1, (1 << SUM_BITS - 1) - 1)
    return ends_and_random(rng, -bound, bound, shape)


@settings(deadline=None, max_examples=60)
@given(rules(), st.integers(1, 30), st.integers(0, 1 << 30))
def test_the_definition(bench: Bench, rule: UpdateRule, groups: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (groups, LANES)
    given = {
        "weights": ends_and_random(rng, *WORD, shape),
        "momenta": ends_and_random(rng, *WORD, shape),
        "sums": sums_of(rng, rule.before, shape),
    }
    valid = (rng.random(groups) < rng.choice([0.3, 1.0])).astype(np.int64)
    bench.check(rule, given, valid, rng.integers(0, 256, shape))


@pytest.mark.parametrize(
    "shifts",
    [
        (16, 48, 20, 19),
        (10, 12, 12, 13),
        (-6, -3, 0, -6),
        (60, 62, 70, 80),
        (17, 30, 13, 8),
        (17, 30, 13, 9),
    ],
    ids=str,
)
def test_all_ends(bench: Bench, shifts: tuple[int, ...]) -> None:
    """w, v and gradient at their ends, with the greatest mantissa and shifts on both sides."""
    by = [Multiplier(MANTISSAS[1], shift) for shift in shifts]
    rule = UpdateRule(0, momentum=by[0], decay=by[1], gradient=by[2], rate=by[3])
    ends = (*WORD, -1, 0)
    grid = np.array(list(product(ends, ends, ends, (0, 255))))
    w, v, g, u = (np.stack([grid[:, i], grid[::-1, i]], axis=1) for i in range(4))
    bench.check(rule, {"weights": w, "momenta": v, "sums": g}, np.ones(len(grid), np.int64), u)


def test_what_a_training_step_uses(bench: Bench) -> None:
    """The rule of a tensor, with its constants from real numbers."""
    rng = np.random.default_rng(3)
    bound = 1 << 40
    rule = weights.update_rule(3e-7, bound, momentum=0.9, decay=1e-4, rate=0.1)
    shape = (200, LANES)
    given = {
        "weights": rng.integers(-(1 << 28), 1 << 28, shape),
        "momenta": rng.integers(-(1 << 26), 1 << 26, shape),
        "sums": ends_and_random(rng, -bound, bound, shape),
    }
    bench.check(rule, given, np.ones(200, np.int64), rng.integers(0, 256, shape))


def test_refusals() -> None:
    assert_refused(lambda: Updater(0), "at least 1")
    assert_refused(lambda: Scaler(0), "at least 1")
