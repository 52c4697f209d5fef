"""A reset from several registers does what one does, and none of them resets too much."""

import random

import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from fractrain.hw.flow.spread_reset import SpreadReset

PARTS, BITS = 5, 40


class Counter(wiring.Component):
    """Counts in a register, and in one that no reset reaches."""

    def __init__(self) -> None:
        super().__init__({"step": In(BITS), "total": Out(BITS, init=3), "untouched": Out(BITS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.total.eq(self.total + self.step)
        held = Signal(BITS, reset_less=True)
        m.d.sync += held.eq(held + self.step)
        m.d.comb += self.untouched.eq(held)
        return m


class Chain(wiring.Component):
    """Counters in each other's submodules: each adds what the one before has."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__({"step": In(BITS), "total": Out(BITS), "untouched": Out(BITS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.own = own = Counter()
        m.d.comb += own.step.eq(self.step)
        if self.count == 1:
            m.d.comb += [self.total.eq(own.total), self.untouched.eq(own.untouched)]
            return m
        m.submodules.rest = rest = Chain(self.count - 1)
        m.d.comb += [
            rest.step.eq(own.total),
            self.total.eq(rest.total),
            self.untouched.eq(rest.untouched ^ own.untouched),
        ]
        return m


class Both(wiring.Component):
    """The chain with one reset, and with a spread one."""

    def __init__(self) -> None:
        self.copies: list[Signal] = []
        super().__init__({"reset_next": In(1), "step": In(8), "same": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        reset = Signal()
        m.d.sync += reset.eq(self.reset_next)
        one, spread = Chain(PARTS), Chain(PARTS)
        m.submodules.one = ResetInserter(reset)(one)
        resets = SpreadReset(m, platform)
        resets.add("spread", spread)
        resets.finish(self.reset_next)
        self.copies = resets._copies
        m.d.comb += [
            one.step.eq(self.step),
            spread.step.eq(self.step),
            self.same.eq((one.total == spread.total) & (one.untouched == spread.untouched)),
        ]
        return m


@pytest.mark.parametrize(
    ("most", "count"), [(1, PARTS), (BITS, PARTS), (2 * BITS, 3), (5 * BITS, 1), (800, 1)]
)
def test_as_with_one_reset(most: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy for as many registers as it may have; a register alone may have more bits."""
    monkeypatch.setattr("fractrain.hw.flow.spread_reset.MOST_BITS", most)
    design = Both()
    draw = random.Random(most)
    simulator = Simulator(design)
    simulator.add_clock(1e-6)

    async def run(context) -> None:
        for _ in range(120):
            context.set(design.reset_next, draw.random() < 0.2)
            context.set(design.step, draw.getrandbits(8))
            await context.tick()
            assert context.get(design.same)

    simulator.add_testbench(run)
    simulator.run()
    assert len(design.copies) == count
    assert all(each.attrs["keep"] for each in design.copies)
