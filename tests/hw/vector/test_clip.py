"""Clipping at every width: all numbers of a short word, those around its limits in a long one."""

import numpy as np
import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.vector.clip import Clip, ClipControl
from fractrain.sim.golden.step.scales import clip_levels
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import Beats, ends_and_random

# bits of the number, top, bits of the word, fewest, most, raised
SHORT = [
    (8, 5, 4, 1, 4, False),
    (8, 4, 4, 1, 3, False),
    (9, 6, 5, 2, 5, True),
    (7, 6, 4, 2, 4, True),
]
LONG = [(39, 31, 12, 1, 12, False), (39, 29, 12, 4, 12, True), (13, 10, 10, 4, 8, False)]
CASES = SHORT + LONG
Case = tuple[int, int, int, int, int, bool]


class Clips(wiring.Component):
    """All cases, each with its control, on the low bits of one number, a cycle after ``bits``."""

    def __init__(self) -> None:
        ports = {"number": In(signed(max(case[0] for case in CASES))), "bits": In(4)}
        super().__init__(ports | {name(case): Out(signed(case[2])) for case in CASES})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for case in CASES:
            number, top, word, fewest, most, raised = case
            clip = m.submodules[f"clip_{name(case)}"] = Clip(number, top, word, raised=raised)
            control = ClipControl(word, fewest, most, raised=raised)
            m.submodules[f"control_{name(case)}"] = control
            m.d.comb += [
                control.bits.eq(self.bits),
                clip.control.eq(control.control),
                clip.number.eq(self.number),
                getattr(self, name(case)).eq(clip.result),
            ]
        return m


def name(case: Case) -> str:
    return "clip_" + "_".join(str(int(each)) for each in case)


@pytest.fixture(scope="module")
def clips() -> Beats:
    cycles = {name(case): Clip.latency_cycles for case in CASES}
    return Beats(Clips(), "vector_clips", {"bits": -1} | cycles)


def check(clips: Beats, case: Case, numbers: np.ndarray) -> None:
    _, top, word, fewest, most, raised = case
    widths = range(fewest, most + 1)
    number, bits = (each.ravel() for each in np.meshgrid(numbers, widths))
    found = clips.play(number=number, bits=bits)[name(case)]
    for b in widths:
        at = bits == b
        wanted = clip_levels(number[at] >> (top + 1 - b), b) << (word - b)
        if raised and b < word:
            wanted >>= 1
        assert np.array_equal(found[at], wanted), b


@pytest.mark.parametrize("case", SHORT, ids=str)
def test_every_number(clips: Beats, case: Case) -> None:
    half = 1 << (case[0] - 1)
    check(clips, case, np.arange(-half, half))


@pytest.mark.parametrize("case", LONG, ids=str)
def test_numbers_around_limits(clips: Beats, case: Case, rng: np.random.Generator) -> None:
    half = 1 << (case[0] - 1)
    numbers = ends_and_random(rng, -half, half - 1, 4_000)
    limits = (rng.integers(-3, 4, 4_000) << case[1]) + rng.integers(-2, 3, 4_000)
    steps = np.array(
        [
            (side << case[1]) + (ulp << low)
            for side in (-1, 1)
            for low in range(case[1])
            for ulp in (-1, 0, 1)
        ]
    )
    check(clips, case, np.clip(np.concatenate([numbers, limits, steps]), -half, half - 1))


def test_refusals() -> None:
    assert_refused(lambda: Clip(8, 8, 4), r"3\.\.7")
    assert_refused(lambda: Clip(8, 2, 4), r"3\.\.7")
    assert_refused(lambda: ClipControl(4, 0, 4), r"1\.\.4")
    assert_refused(lambda: ClipControl(4, 2, 5), r"1\.\.4")
