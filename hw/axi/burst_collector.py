"""Gathers blocks with consecutive addresses into bursts, and deals the bursts to the ports."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.block_check import checked_block
from fractrain.hw.axi.bursts import BurstShape

__all__ = ["BurstCollector"]


class BurstCollector(wiring.Component):
    """Blocks in, bursts of at most 128 aligned bytes out, to the ports in turn.

    A burst ends with the last block of its 128 bytes, before a block that does not follow, or when
    no block has come for `PATIENCE_CYCLES`.

    Members
    -------
    block : In(`checked_block`)
    store : Out(ports)      the port of the block's burst, in the same cycle
    send : Out(ports)       the blocks stored for this port since its last burst form ``burst``
    burst : Out(`BurstShape.layout`)
    empty : Out(1)          no burst is open or on its way

    Timing: a block per cycle; nothing waits. ``send`` comes a cycle after its burst has ended.
    """

    PATIENCE_CYCLES = 32

    def __init__(self, shape: BurstShape, ports: int):
        self.shape, self.ports = shape, ports
        super().__init__(
            {
                "block": In(checked_block(shape)),
                "store": Out(ports),
                "send": Out(ports),
                "burst": Out(shape.layout),
                "empty": Out(1),
            }
        )
        self.open, self.ended = Signal(), Signal()
        self.growing = Signal(shape.layout)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        block = self.block
        here = Signal(self.ports, init=1)  # one bit: the port of the open or the next burst
        fresh, closing = Signal(), Signal()
        m.d.comb += [
            fresh.eq(~self.open | self.ended | ~block.follows),
            closing.eq(self.open & (self.ended | (block.valid & ~block.follows))),
            self.store.eq(Mux(block.valid, Mux(closing, here.rotate_left(1), here), 0)),
            self.empty.eq(~self.open & ~self.send.any()),
        ]
        m.d.sync += [self.send.eq(Mux(closing, here, 0)), self.burst.eq(self.growing)]
        with m.If(closing):
            m.d.sync += [here.eq(here.rotate_left(1)), self.open.eq(0)]
        with m.If(block.valid):
            m.d.sync += self.open.eq(1)
            with m.If(fresh):
                m.d.sync += [self.growing.address.eq(block.address), self.growing.more.eq(0)]
            with m.Else():
                m.d.sync += self.growing.more.eq(self.growing.more + 1)
        self._end(m, block.address[: self.shape.place_bits].all())
        return m

    def _end(self, m: Module, last_place: Value) -> None:
        patience = Signal(range(self.PATIENCE_CYCLES))
        with m.If(self.block.valid):
            m.d.sync += [patience.eq(self.PATIENCE_CYCLES - 1), self.ended.eq(last_place)]
        with m.Else():
            m.d.sync += [patience.eq(patience - 1), self.ended.eq(self.open & (patience == 0))]
