"""Blocks on their way to memory, and whether it has acknowledged them."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import write_block

__all__ = ["WriteBehind"]

SETTLE_CYCLES = 2
"""After the writer took a block, and a cycle more: then ``writer_idle`` is low."""


class WriteBehind(wiring.Component):
    """A queue in front of the writer, so that who makes blocks does not wait for each of them.

    Members
    -------
    i : In(stream of `write_block`)
    blocks : Out(stream of `write_block`)    to the writer
    writer_idle : In(1)     low from the second cycle on after it took a block, until memory has
                            acknowledged all
    settled : Out(1)        every block that was taken at ``i`` is acknowledged; low from the cycle
                            after one was taken
    halt : In(1)            offer nothing more, and settle no more, until reset; a block on offer
                            stays

    Timing: two cycles from ``i`` to ``blocks``, a block per cycle.
    """

    PLACES = 16

    def __init__(self, parameters: Parameters) -> None:
        self.layout = write_block(parameters.block_bits)
        super().__init__(
            {
                "i": In(stream.Signature(self.layout)),
                "blocks": Out(stream.Signature(self.layout)),
                "writer_idle": In(1),
                "settled": Out(1),
                "halt": In(1),
            }
        )
        self.fifo = Fifo(self.layout, self.PLACES + Fifo.SLACK)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fifo = fifo = self.fifo
        wiring.connect(m, wiring.flipped(self.i), fifo.w_stream)
        offered, taken, comes = Signal(), Signal(), Signal()
        fresh = Signal(SETTLE_CYCLES)
        m.d.comb += [
            self.blocks.payload.eq(fifo.head),
            self.blocks.valid.eq(fifo.r_rdy & (~self.halt | offered)),
            taken.eq(self.blocks.valid & self.blocks.ready),
            fifo.r_en.eq(taken),
            comes.eq(self.i.valid & self.i.ready),
        ]
        rests = ~comes & (fifo.level == 0) & ~taken & ~fresh.any() & self.writer_idle & ~self.halt
        m.d.sync += [
            # a block on offer stays there
            offered.eq(self.blocks.valid & ~self.blocks.ready),
            fresh.eq(Cat(taken, fresh)),
            self.settled.eq(rests),
        ]
        return m
