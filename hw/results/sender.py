"""The last part of the result stage: blocks to the writer, and the ends of tasks."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import write_block
from fractrain.hw.flow.tasks import INDEX_BITS
from fractrain.hw.results.layouts import item_layout, signal_bits
from fractrain.hw.results.turn import GROUPS

__all__ = ["BlockSender"]

ITEMS = 16
"""Items that may be between their issue and their exit."""
UNSEEN = 4
"""Of them: items issued before `BlockSender.room` follows."""
SETTLE_CYCLES = 2
"""After a block was handed over, and a cycle more: then ``writer_idle`` is low."""


class BlockSender(wiring.Component):
    """Hands blocks to the writer and says when a task has ended, all in the order of issue.

    Members
    -------
    issue : In(1), item : In(`item_layout`)     only while ``room``, or in the cycle after
    planes, raw : In        the item's bits, a cycle later: the OR of all of these
    room, room_next : Out(1)      the latter is ``room`` of the next cycle
    blocks : Out(stream of `write_block`)
    writer_idle : In(1)     low from the second cycle on after it took a block, until memory has
                            acknowledged all
    ended : Out(1), signal : Out(2)      a task has ended, with the tokens that it gives
    sent : Out(1), tag : Out(Tag), index : Out     a block was taken, and its task's tag and index
    halt : In(1)            offer nothing more
    empty : Out(1)          nothing is held

    With a vector unit

    unit_ended : In(1)      it has done a NARROW or JOIN, in the order of their items (``unit``),
                            each of which leaves then


    Timing: an item per cycle; a block is offered `latency_cycles` after it was issued. A task that
    gives tokens ends when the writer is idle, and no later block is offered before that.
    """

    latency_cycles = 4

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        bits, item = parameters.block_bits, item_layout(parameters)
        self.with_unit = parameters.vector is not None
        super().__init__(
            {
                "issue": In(1),
                "item": In(item),
                "planes": In(data.ArrayLayout(bits, GROUPS)),
                "raw": In(bits),
                "room": Out(1, init=1),
                "room_next": Out(1),
                "blocks": Out(stream.Signature(write_block(bits))),
                "writer_idle": In(1),
                "ended": Out(1),
                "signal": Out(signal_bits(parameters)),
                "sent": Out(1),
                "tag": Out(Tag),
                "index": Out(INDEX_BITS),
                "halt": In(1),
                "empty": Out(1),
                **({"unit_ended": In(1)} if self.with_unit else {}),
            }
        )
        self.held = Signal(range(ITEMS + 1))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout = data.StructLayout(
            {"item": item_layout(self.parameters), "waits": 1, "data": self.parameters.block_bits}
        )
        m.submodules.fifo = fifo = Fifo(layout, ITEMS + Fifo.SLACK)
        issued = Signal(item_layout(self.parameters), reset_less=True)
        merged = Signal(layout, reset_less=True)
        issued_valid, merged_valid = Signal(), Signal()
        m.d.sync += [
            issued.eq(self.item),
            issued_valid.eq(self.issue),
            merged.item.eq(issued),
            merged.waits.eq(issued.end & (issued.signal != 0)),
            merged_valid.eq(issued_valid),
        ]
        bits = self.raw
        for group in self.planes:
            bits = bits | group
        with m.If(issued_valid):
            m.d.sync += merged.data.eq(bits)
        m.d.comb += [fifo.w_data.eq(merged), fifo.w_en.eq(merged_valid)]
        leaves = self._offer(m, fifo.head, fifo.r_rdy)
        m.d.comb += fifo.r_en.eq(leaves)
        self._count(m, issued_valid, leaves)
        return m

    def _count(self, m: Module, comes: Value, leaves: Value) -> None:
        m.d.comb += self.empty.eq((self.held == 0) & ~comes)
        m.d.comb += self.room_next.eq(self.held <= ITEMS - UNSEEN)
        m.d.sync += self.room.eq(self.room_next)
        with m.If(comes & ~leaves):
            m.d.sync += self.held.eq(self.held + 1)
        with m.Elif(~comes & leaves):
            m.d.sync += self.held.eq(self.held - 1)

    def _offer(self, m: Module, front: data.View, there: Value) -> Value:
        """The item at the front: its block is taken, then its task may end."""
        item = front.item
        handed = Signal()  # the block is taken, the end is still to come
        fresh = Signal(SETTLE_CYCLES)
        settled, offered = Signal(), Signal()
        leaves, taken = Signal(), Signal()
        m.d.sync += [
            fresh.eq(Cat(taken, fresh)),
            settled.eq(self.writer_idle & ~fresh.any() & ~taken),
            # a block on offer stays there
            offered.eq(self.blocks.valid & ~self.blocks.ready),
        ]
        m.d.comb += [
            self.blocks.payload.address.eq(item.address),
            self.blocks.payload.data.eq(front.data),
            self.blocks.valid.eq(there & item.block & ~handed & (~self.halt | offered)),
            taken.eq(self.blocks.valid & self.blocks.ready),
            self.sent.eq(taken),
            self.tag.eq(item.tag),
            self.index.eq(item.index),
            self.signal.eq(item.signal),
        ]
        rest = there & ~self.halt & (handed | ~item.block)  # only the end is left
        if self.with_unit:
            rest = rest & self._unit_done(m, item, leaves)
        with m.If(front.waits):
            m.d.comb += leaves.eq(rest & settled)
        with m.Else():
            m.d.comb += leaves.eq(taken | rest)
        with m.If(taken & front.waits):
            m.d.sync += handed.eq(1)
        with m.Elif(leaves):
            m.d.sync += handed.eq(0)
        m.d.comb += self.ended.eq(leaves & item.end)
        return leaves

    def _unit_done(self, m: Module, item: data.View, leaves: Value) -> Value:
        """Whether the unit has done the command of ``item``, if it is its."""
        done, waiting = Signal(range(ITEMS + 1)), Signal()
        m.d.comb += waiting.eq(item.unit & (done == 0))
        m.d.sync += done.eq(done + self.unit_ended - (leaves & item.unit))
        return ~waiting
