"""A shift by any amount: every number and every shift at a small width."""

import numpy as np
import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.vector.align import Aligner
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import Beats

BITS, KEEP = 9, 4


class Shown(wiring.Component):
    """An aligner for one number; ``large`` is a word of Verilog."""

    def __init__(self, left: int, right: int) -> None:
        self.aligner = Aligner(1, BITS, KEEP, left=left, right=right)
        outputs = {"kept": Out(KEEP), "sign": Out(1), "exceeds": Out(1)}
        shift = self.aligner.shift.shape()
        super().__init__({"number": In(signed(BITS)), "shift": In(shift), **outputs})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.aligner = aligner = self.aligner
        m.d.comb += [
            aligner.shift.eq(self.shift),
            aligner.numbers[0].eq(self.number),
            self.kept.eq(aligner.kept[0]),
            self.sign.eq(aligner.signs),
            self.exceeds.eq(aligner.large),
        ]
        return m


@pytest.mark.parametrize(("left", "right"), [(3, 9), (0, 12), (16, -1)])
def test_every_number_and_shift(left: int, right: int) -> None:
    shown = Shown(left, right)
    outputs = dict.fromkeys(("kept", "sign", "exceeds"), shown.aligner.latency_cycles)
    player = Beats(shown, f"vector_aligner_{left}_{right + 1}", {"shift": -1} | outputs)
    half = 1 << BITS - 1
    numbers, shifts = (
        each.ravel() for each in np.meshgrid(np.arange(-half, half), np.arange(-left, right + 1))
    )
    found = player.play(number=numbers, shift=shifts)
    wanted = np.where(
        shifts < 0, numbers << np.maximum(-shifts, 0), numbers >> np.maximum(shifts, 0)
    )
    assert np.array_equal(found["kept"], wanted & (1 << KEEP) - 1)
    assert np.array_equal(found["sign"], wanted < 0)
    assert np.array_equal(found["exceeds"], (wanted >> KEEP) != (wanted >> 40))


def test_refusals() -> None:
    assert_refused(lambda: Aligner(0, 8, 4, left=1, right=1), "count")
    assert_refused(lambda: Aligner(1, 8, 4, left=0, right=0), "at least two")
    assert_refused(lambda: Aligner(1, 8, 0, left=1, right=1), "bits kept")
