"""Blocks on their way to memory, and whether it has acknowledged them."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import write_block
from fractrain.hw.flow.tasks import INDEX_BITS

__all__ = ["WriteBehind"]

COMING = 3
"""Blocks that may come after those that the queue counts."""
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

    Timing: three cycles from ``i`` to ``blocks``, a block per cycle; ``i.ready`` is a register. It
    has room for ``places`` blocks.
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
        self.places = places
        self.fifo = Fifo(self.layout, places + Fifo.SLACK)
        self.came, self.coming = Signal(), Signal(self.layout, reset_less=True)
        """A block a cycle before it is in the queue: blocks come from far."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fifo = fifo = self.fifo
        out, blocks = fifo.head, self.blocks
        offered, taken, comes = Signal(), Signal(), Signal()
        fresh, room = Signal(SETTLE_CYCLES), Signal()
        m.d.comb += [
            fifo.w_data.eq(self.coming),
            fifo.w_en.eq(self.came),
            self.i.ready.eq(room),
            blocks.payload.eq(out.block),
            self.block_index.eq(out.index),
            self.block_tag.eq(out.tag),
            blocks.valid.eq(fifo.r_rdy & (~self.halt | offered)),
            taken.eq(blocks.valid & blocks.ready),
            fifo.r_en.eq(taken),
            comes.eq(self.i.valid & self.i.ready),
        ]
        inside = comes | self.came | (fifo.level != 0)
        m.d.sync += [
            # those on their way here are not in it yet
            room.eq(fifo.level <= self.places - COMING),
            self.came.eq(comes),
            self.coming.eq(Cat(self.i.payload.as_value(), self.index, self.tag)),
            # a block on offer stays there
            offered.eq(blocks.valid & ~blocks.ready),
            fresh.eq(Cat(taken, fresh)),
            self.settled.eq(~inside & ~fresh.any() & self.writer_idle & ~self.halt),
        ]
        return m
