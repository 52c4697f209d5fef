"""A register between two stages of a stream, in both directions."""

from amaranth.hdl import Module, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import Layout
from amaranth.lib.wiring import In, Out

__all__ = ["StreamRegister"]


class StreamRegister(wiring.Component):
    """Cuts every path between ``i`` and ``o``, forward and backward.

    Amaranth's FIFO of two places would take an item every other cycle, and needs a memory.

    Members
    -------
    i : In(stream), o : Out(stream)
    empty : Out(1)     nothing is held

    Timing: ``latency_cycles`` from ``i`` to ``o``, one transfer per cycle. Two items are held at
    most: one on offer, and one that was on its way when the receiver stopped.
    """

    CAPACITY = 2
    latency_cycles = 1

    def __init__(self, layout: Layout | Shape):
        super().__init__(
            {
                "i": In(stream.Signature(layout)),
                "o": Out(stream.Signature(layout)),
                "empty": Out(1),
            }
        )
        self.spare = Signal(layout)
        self.free = Signal(init=1)
        """Nothing is there: as it is on offer, so that ``ready`` is a register where modules are
        mapped alone."""

    @property
    def spare_held(self) -> Value:
        return ~self.free

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.i.ready.eq(self.free),
            self.empty.eq(~self.o.valid & ~self.spare_held),
        ]
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += [self.o.valid.eq(self.i.valid | self.spare_held), self.free.eq(1)]
            with m.If(self.spare_held):
                m.d.sync += self.o.payload.eq(self.spare)
            with m.Else():
                m.d.sync += self.o.payload.eq(self.i.payload)
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += [self.free.eq(0), self.spare.eq(self.i.payload)]
        return m
