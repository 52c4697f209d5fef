"""Formal, bounded to 20 cycles: every item as often as it says, in order, grown, without gaps."""

import pytest
from amaranth.hdl import Assert, Assume, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hw.flow.expander import Expander
from tests.formal.runner import ProofFailed, prove
from tests.hw.flow.expander_layout import INPUT, make_expander

CYCLES = 20
"""Enough for the longest item, of 15, and others before and after it."""


class ExpanderMonitor(wiring.Component):
    """The expander with arbitrary items and an arbitrary consumer, and the assertions about it.

    Its books are the item at work and how many of its outputs have gone.
    """

    def __init__(self) -> None:
        self.expander = make_expander()
        super().__init__({"valid": In(1), "ready": In(1), "input": In(INPUT)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.expander = expander = self.expander
        current, running, gone = Signal(INPUT), Signal(), Signal(INPUT["count"].shape)
        shown, item = expander.o.payload, current.item
        taken = expander.i.valid & expander.i.ready
        passed = expander.o.valid & expander.o.ready
        ends = gone == current.count - 1
        m.d.comb += [
            expander.i.valid.eq(self.valid),
            expander.i.payload.eq(self.input),
            expander.o.ready.eq(self.ready),
            Assume(self.input.count != 0),
        ]
        with m.If(passed):
            m.d.sync += [gone.eq(gone + 1), running.eq(~ends)]
        with m.If(taken):
            m.d.sync += [current.eq(self.input), running.eq(1), gone.eq(0)]

        m.d.comb += [
            # no item is lost or made up, and nobody waits without need
            Assert(expander.o.valid == running),
            Assert(expander.i.ready == (~running | (passed & ends))),
        ]
        with m.If(running):
            m.d.comb += [
                Assert(current.count != 0),
                Assert(gone < current.count),
                Assert(shown.first == (gone == 0)),
                Assert(shown.last == ends),
                Assert(shown.item.place == (item.place + gone)[:4]),
                Assert(shown.item.sum == (item.sum + gone * item.stride)[:8]),
                Assert(shown.item.rest == item.rest),
                Assert(shown.item.stride == item.stride),
                # ties the expander's own count to the books, so that induction closes
                Assert(expander.after == current.count - 2 - gone),
            ]
        return m


def test_every_item_as_often_as_it_says() -> None:
    prove(ExpanderMonitor(), "expander", depth=CYCLES, mode="bmc")


def test_the_proof_notices_a_wrong_end(monkeypatch: pytest.MonkeyPatch) -> None:
    elaborate = Expander.elaborate

    def broken(self: Expander, platform: object) -> Module:
        m = elaborate(self, platform)
        with m.If(self.o.ready & (self.after == 1)):
            m.d.sync += self.after.eq(-1)
        return m

    monkeypatch.setattr(Expander, "elaborate", broken)
    with pytest.raises(ProofFailed, match="FAIL"):
        prove(ExpanderMonitor(), "expander_broken", depth=8, mode="bmc")
