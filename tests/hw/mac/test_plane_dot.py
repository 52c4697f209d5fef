"""Every form of the plane dot product counts alike, for any number of lanes."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.mac.compression import CompressionPlan
from fractrain.hw.mac.plane_dot import DOT_STYLES, PlaneDot
from tests.hw.refusals import assert_refused
from tests.hw.verilator import Player, primitive_models

EXHAUSTED_LANES = (1, 2, 3, 4, 5, 6, 7)
# Rests of the groups of three, of the words of 64 and of the sums of three words.
SAMPLED_LANES = (13, 36, 65, 144, 193)
MAX_LANES = 1024


class AllForms(wiring.Component):
    """Plane dots of many sizes in all styles, side by side on the low bits of one input.

    The widest is there as words only: its trees differ in nothing but compilation time.
    """

    def __init__(self) -> None:
        forms = [
            (lanes, style) for lanes in EXHAUSTED_LANES + SAMPLED_LANES for style in DOT_STYLES
        ]
        forms.append((MAX_LANES, "words"))
        self.dots = {f"total_{style}_{lanes}": PlaneDot(lanes, style) for lanes, style in forms}
        totals = {name: Out(dot.total.shape()) for name, dot in self.dots.items()}
        super().__init__({"a": In(MAX_LANES), "b": In(MAX_LANES), **totals})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, dot in self.dots.items():
            m.submodules[name] = dot
            m.d.comb += [
                dot.a.eq(self.a[: dot.lanes]),
                dot.b.eq(self.b[: dot.lanes]),
                getattr(self, name).eq(dot.total),
            ]
        return m


@pytest.fixture(scope="module")
def player() -> Player:
    return Player(AllForms(), "plane_dots", models=primitive_models())


def check_totals(player: Player, a: np.ndarray, b: np.ndarray) -> None:
    """Play bits [cycles, lanes] and compare every total with NumPy's, at its own latency."""
    outputs = player.play(
        a=np.packbits(a, axis=1, bitorder="little"), b=np.packbits(b, axis=1, bitorder="little")
    )
    counts = np.zeros((len(a), MAX_LANES), np.int64)
    counts[:, : a.shape[1]] = a & b
    counts = np.cumsum(counts, axis=1)
    for name, dot in player.design.dots.items():
        expected = counts[: len(a) - dot.latency_cycles, dot.lanes - 1]
        assert np.array_equal(outputs[name][dot.latency_cycles :], expected), name


def test_exhaustive(player: Player) -> None:
    """Every pair of planes of up to seven lanes."""
    widest = max(EXHAUSTED_LANES)
    bits = 2 * widest
    every = (np.arange(1 << bits)[:, None] >> np.arange(bits)).astype(np.uint8) & 1
    stimulus = np.concatenate([every, np.zeros((20, bits), np.uint8)])
    check_totals(player, stimulus[:, :widest], stimulus[:, widest:])


def test_sampled(player: Player, rng: np.random.Generator) -> None:
    """Random planes of every density, and those that fill a count."""
    cycles = 2_000
    density = rng.random((cycles, 1)) ** 0.25
    density[:50] = 1
    a, b = ((rng.random((cycles, MAX_LANES)) < density).astype(np.uint8) for _ in range(2))
    check_totals(player, a, b)


@pytest.mark.parametrize("lanes", range(1, MAX_LANES + 1, 7))
def test_plan_conserves_the_count(lanes: int) -> None:
    """No level can lose a count: it has room for all of them, and ends in at most two rows."""
    plan = CompressionPlan.for_lanes(lanes)
    for level in plan.heights:
        assert sum(height << weight for weight, height in enumerate(level)) >= lanes
    assert max(plan.heights[-1]) <= 2


def test_latency_of_the_presets() -> None:
    assert CompressionPlan.for_lanes(144).latency_cycles == 6
    assert CompressionPlan.for_lanes(36).latency_cycles == 5


@pytest.mark.parametrize("lanes", [0, 1025, -1, 2.5, True])
def test_lanes_are_checked(lanes: object) -> None:
    assert_refused(lambda: PlaneDot(lanes, "words"), r"1\.\.1024")  # type: ignore[arg-type]


def test_style_is_checked() -> None:
    assert_refused(lambda: PlaneDot(8, "lut4"), "lut6, inferred, words")
