"""Blocks on their way to memory, and whether it has acknowledged them."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import write_block
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.flow.tasks import INDEX_BITS

__all__ = ["WriteBehind"]

SETTLE_CYCLES = 2
"""After the writer took a block, and a cycle more: then ``writer_idle`` is low."""


class WriteBehind(wiring.Component):
    """A queue in front of the writer: who makes blocks does not wait for memory, and what it makes
    too fast is written while the next command makes none.

    Members
    -------
    i : In(stream of `write_block`); index : In(32), tag : In(Tag)     of the command that makes it
    blocks : Out(stream of `write_block`); block_index, block_tag : Out    to the writer, and of
                            which command
    writer_idle : In(1)     low from the second cycle on after it took a block, until memory has
                            acknowledged all
    settled : Out(1)        every block that was taken at ``i`` is acknowledged; low from the cycle
                            after one was taken
    halt : In(1)            offer nothing more, and settle no more, until reset; a block on offer
                            stays

    Timing: three cycles from ``i`` to ``blocks``, a block per cycle. It has room for ``places``
    blocks and the `StreamRegister`'s behind them.
    """

    PLACES = 512
    """What a block RAM holds of its widest words."""

    def __init__(self, parameters: Parameters, places: int = PLACES) -> None:
        block = write_block(parameters.block_bits)
        self.layout = data.StructLayout({"block": block, "index": INDEX_BITS, "tag": Tag})
        super().__init__(
            {
                "i": In(stream.Signature(block)),
                "index": In(INDEX_BITS),
                "tag": In(Tag),
                "blocks": Out(stream.Signature(block)),
                "block_index": Out(INDEX_BITS),
                "block_tag": Out(Tag),
                "writer_idle": In(1),
                "settled": Out(1),
                "halt": In(1),
            }
        )
        self.fifo = Fifo(self.layout, places + Fifo.SLACK)
        self.register = StreamRegister(self.layout)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fifo, m.submodules.register = self.fifo, self.register
        fifo, out, blocks = self.fifo, self.register.o, self.blocks
        wiring.connect(m, fifo.r_stream, self.register.i)
        offered, taken, comes = Signal(), Signal(), Signal()
        fresh = Signal(SETTLE_CYCLES)
        m.d.comb += [
            fifo.w_data.eq(Cat(self.i.payload.as_value(), self.index, self.tag)),
            fifo.w_en.eq(self.i.valid),
            self.i.ready.eq(fifo.w_rdy),
            blocks.payload.eq(out.payload.block),
            self.block_index.eq(out.payload.index),
            self.block_tag.eq(out.payload.tag),
            blocks.valid.eq(out.valid & (~self.halt | offered)),
            taken.eq(blocks.valid & blocks.ready),
            out.ready.eq(taken),
            comes.eq(self.i.valid & self.i.ready),
        ]
        inside = comes | (fifo.level != 0) | ~self.register.empty
        m.d.sync += [
            # a block on offer stays there
            offered.eq(blocks.valid & ~blocks.ready),
            fresh.eq(Cat(taken, fresh)),
            self.settled.eq(~inside & ~fresh.any() & self.writer_idle & ~self.halt),
        ]
        return m
