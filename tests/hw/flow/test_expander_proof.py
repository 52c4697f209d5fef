"""Formal, unbounded: every item as often as it says, in order, grown, without gaps."""

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from fractrain.hw.flow.expander import Expander
from tests.formal.runner import prove, refute
from tests.hw.flow.expander_layout import INPUT, make_expander

CYCLES = 20
"""Within which the covers are reached: the longest item, of 15, and another before it."""


class ExpanderMonitor(wiring.Component):
    """The expander with arbitrary items and an arbitrary consumer, and the assertions about it.

    Its books are the item at work and how many of its outputs have gone.
    """

    def __init__(self) -> None:
        self.expander = make_expander()
        self.gone = Signal(INPUT["count"].shape)
        super().__init__({"valid": In(1), "ready": In(1), "input": In(INPUT)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.expander = expander = self.expander
        current, running, gone = Signal(INPUT), Signal(), self.gone
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
        self._reach(m, taken, passed & ends)
        with m.If(running):
            m.d.comb += [
                Assert(current.count != 0),
                Assert(gone < current.count),
                Assert(shown.first == (gone == 0)),
                Assert(shown.last == ends, "the last is where the count says"),
                Assert(shown.item.place == (item.place + gone)[:4]),
                Assert(shown.item.sum == (item.sum + gone * item.stride)[:8]),
                Assert(shown.item.rest == item.rest),
                Assert(shown.item.stride == item.stride),
                # ties the expander's own count to the books, so that induction closes
                Assert(expander.after == current.count - 2 - gone),
            ]
        return m

    def _reach(self, m: Module, taken: Value, ended: Value) -> None:
        """What must be possible, lest the proof be of nothing: the longest item to its end, after
        another that it followed at once, and one of which an output was waited for."""
        shown, stalled, followed = self.expander.o.payload, Signal(), Signal()
        with m.If(taken):
            m.d.sync += [stalled.eq(0), followed.eq(ended)]
        with m.Elif(self.expander.o.valid & ~self.ready):
            m.d.sync += stalled.eq(1)
        longest = (1 << len(self.input.count)) - 1
        m.d.comb += [
            Cover(ended & followed & (self.gone == longest - 1) & (shown.item.sum == 5)),
            Cover(ended & stalled & ~shown.first & taken),
        ]


def test_every_item_as_often_as_it_says() -> None:
    prove(ExpanderMonitor(), "expander", depth=2)


def test_the_proof_is_not_of_nothing() -> None:
    prove(ExpanderMonitor(), "expander_cover", depth=CYCLES, mode="cover")


def test_the_proof_notices_a_wrong_end(monkeypatch: pytest.MonkeyPatch) -> None:
    elaborate = Expander.elaborate

    def broken(self: Expander, platform: object) -> Module:
        m = elaborate(self, platform)
        with m.If(self.o.ready & (self.after == 1)):
            m.d.sync += self.after.eq(-1)
        return m

    monkeypatch.setattr(Expander, "elaborate", broken)
    refute(ExpanderMonitor(), "expander_broken", "the last is where the count says", depth=8)
