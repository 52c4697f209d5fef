"""The greatest magnitude: every pair of short numbers, and many lanes of wide ones."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.vector.peak import LanePeak, Peak
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import Beats, ends_and_random
from tests.hw.verilator import Player, primitive_models

FORMS = ("plain", "primitives")
WIDTHS = (2, 3, 4, 5, 6, 12, SUM_BITS)


class Lanes(wiring.Component):
    """Lanes of several widths in both forms, each with the low bits of one number."""

    def __init__(self) -> None:
        self.lanes = {
            f"{form}_{bits}": LanePeak(bits, primitives=form == "primitives")
            for form in FORMS
            for bits in WIDTHS
        }
        ports = {"number": In(SUM_BITS), "take": In(1), "clear": In(1)}
        super().__init__(ports | {name: Out(each.bits) for name, each in self.lanes.items()})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, each in self.lanes.items():
            m.submodules[name] = each
            m.d.comb += [
                each.number.eq(self.number),
                each.take.eq(self.take),
                each.clear.eq(self.clear),
                getattr(self, name).eq(each.held),
            ]
        return m


@pytest.fixture(scope="module")
def lanes() -> Player:
    return Player(Lanes(), "vector_lane_peaks", models=primitive_models())


def signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (value >> (bits - 1) << bits)


def check(
    lanes: Player, bits: int, number: np.ndarray, take: np.ndarray, clear: np.ndarray
) -> None:
    found = lanes.play(number=number, take=take, clear=clear)
    held, wanted = 0, []
    for each, taken, cleared in zip(number.tolist(), take.tolist(), clear.tolist(), strict=True):
        wanted.append(held)
        held = 0 if cleared else held
        value = signed(each, bits)
        # of equal magnitudes the positive one stays
        if taken and (cleared or 2 * abs(value) - (value < 0) > 2 * abs(held) - (held < 0)):
            held = value
    for form in FORMS:
        got = [signed(each, bits) for each in found[f"{form}_{bits}"].tolist()]
        assert got == wanted, form


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6])
def test_every_number_against_every_held_one(lanes: Player, bits: int) -> None:
    values = np.arange(1 << bits)
    held, number = (each.ravel() for each in np.meshgrid(values, values))
    sequence = np.stack([held, number], axis=1).ravel()
    clear = np.tile([1, 0], len(held))
    check(lanes, bits, sequence, np.ones_like(sequence), clear)


@pytest.mark.parametrize("bits", WIDTHS)
def test_long_runs(lanes: Player, bits: int, rng: np.random.Generator) -> None:
    """Growing numbers, equal magnitudes of either sign, some that do not count."""
    half = 1 << (bits - 1)
    numbers = ends_and_random(rng, -half, half - 1, 5_000)
    take, clear = rng.random(5_000) < 0.7, rng.random(5_000) < 0.05
    mask = np.uint64((1 << bits) - 1)
    check(lanes, bits, numbers.astype(np.int64).view(np.uint64) & mask, take, clear)


class Both(wiring.Component):
    """A whole peak in both forms."""

    def __init__(self, lanes: int, bits: int) -> None:
        self.forms = {form: Peak(lanes, bits, primitives=form == "primitives") for form in FORMS}
        members = dict(self.forms["plain"].signature.members.items())
        ports = {name: members[name] for name in ("numbers", "take", "clear", "collect")}
        self.inputs = list(ports)
        for form in FORMS:
            ports |= {f"{form}_{name}": members[name] for name in ("greatest", "done")}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for form, each in self.forms.items():
            m.submodules[form] = each
            m.d.comb += [getattr(each, name).eq(getattr(self, name)) for name in self.inputs]
            for name in ("greatest", "done"):
                m.d.comb += getattr(self, f"{form}_{name}").eq(getattr(each, name))
        return m


@pytest.fixture(scope="module", params=[(1, 5), (5, 8), (19, 39)], ids=str)
def peaks(request: pytest.FixtureRequest) -> tuple[Beats, int]:
    """All of it, and the cycles from `collect` to `done`."""
    lanes, bits = request.param
    both = Both(lanes, bits)
    cycles = both.forms["plain"].collect_cycles
    return Beats(both, f"vector_peaks_{lanes}_{bits}", {}, models=True), cycles


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 20), st.integers(0, 1 << 30))
def test_all_lanes(peaks: tuple[Beats, int], beats: int, seed: int) -> None:
    """Twice in a run, the second after `clear`; the result is there to the cycle."""
    player, cycles = peaks
    shape = player.shapes["numbers"][1]
    lanes, bits = shape.length, shape.elem_shape.width
    rng = np.random.default_rng(seed)
    half = 1 << (bits - 1)
    part = beats + cycles + 1
    numbers = ends_and_random(rng, -half, half - 1, (2 * part, lanes))
    take = (rng.random((2 * part, lanes)) < rng.choice([0.02, 0.5, 1.0])).astype(np.int64)
    collect, clear = np.zeros((2, 2 * part), np.int64)
    clear[[0, part]] = 1
    collect[[beats - 1, part + beats - 1]] = 1
    for start in (0, part):
        take[start + beats : start + part] = 0
    found = player.play(
        numbers=numbers, take=(take << np.arange(lanes)).sum(axis=1), clear=clear, collect=collect
    )
    for start in (0, part):
        at = start + beats - 1 + cycles
        magnitudes = np.abs(numbers) * take
        for form in FORMS:
            done = found[f"{form}_done"]
            assert done[at] and not done[start + 1 : at].any()
            assert found[f"{form}_greatest"][at] == magnitudes[start : start + beats].max()


def test_refusals() -> None:
    assert_refused(lambda: LanePeak(1), "at least 2")
    assert_refused(lambda: Peak(0, 8), "at least 1")
