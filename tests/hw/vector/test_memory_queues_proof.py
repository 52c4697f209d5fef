"""Formal, unbounded: no word waits in front of the words of others, and a command ends only when
memory has acknowledged its blocks."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from fractrain.hw.contract.commands import Tag
from fractrain.hw.flow.layouts import read_request, write_block
from fractrain.hw.flow.tasks import INDEX_BITS
from fractrain.hw.vector.read_ahead import ReadAhead
from fractrain.hw.vector.write_behind import WriteBehind
from tests.formal.runner import prove, refute
from tests.hw.vector.memory_bench import unit_machine

PARAMETERS = unit_machine()
ROOM = "there is a place for each word"
SETTLED = "settled only with every block acknowledged"
ORDER = "blocks leave in their order, each with its command"
PLACES = 4
"""Of `WriteBehind`: as many as it takes to fill and to go round."""


class ReadMonitor(wiring.Component):
    """Any runs, a reader that brings their words at any time, a user who takes them at any time."""

    def __init__(self) -> None:
        super().__init__(
            {
                "valid": In(1),
                "run": In(read_request()),
                "ready": In(1),
                "comes": In(1),
                "word": In(8 * PARAMETERS.word_bytes),
                "takes": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = ReadAhead(PARAMETERS)
        on_way = Signal(range(2 * unit.PLACES))
        asked = unit.requests.valid & unit.requests.ready
        waits, run = Signal(), Signal.like(self.run)
        m.d.sync += [waits.eq(unit.runs.valid & ~unit.runs.ready), run.eq(self.run)]
        m.d.comb += [
            Assume(~waits | (self.valid & (self.run == run))),
            Assert(unit.runs.ready == asked),
            Assert(~unit.requests.valid | (self.valid & (self.run.words <= unit.room)), ROOM),
            Assert(~unit.fits | waits),
            unit.runs.valid.eq(self.valid),
            unit.runs.payload.eq(self.run),
            unit.requests.ready.eq(self.ready),
            unit.words.valid.eq(self.comes & (on_way != 0)),
            unit.words.payload.eq(self.word),
            unit.o.ready.eq(self.takes),
            Assume((self.run.words >= 1) & (self.run.words <= unit.PLACES)),
            Assert(unit.words.ready, ROOM),
            Assert(~unit.words.valid | unit.fifo.w_rdy, ROOM),
            # ties the unit's own count to the books, so that induction closes
            Assert(unit.room + on_way + unit.fifo.level + unit.left == unit.PLACES, ROOM),
            Assert(~unit.o.valid | (unit.fifo.level != 0)),
            Cover(unit.fifo.level == 9, "full of words"),
            Cover((unit.room == 0) & unit.left, "a place becomes free"),
        ]
        more = Signal.like(self.run.words)
        with m.If(asked):
            m.d.comb += more.eq(self.run.words)
        m.d.sync += on_way.eq(on_way + more - unit.words.valid)
        return m


class WriteMonitor(wiring.Component):
    """Any blocks, and a writer as `WriteBehind` knows it."""

    def __init__(self) -> None:
        super().__init__(
            {
                "valid": In(1),
                "block": In(write_block(PARAMETERS.block_bits)),
                "ready": In(1),
                "acknowledges": In(1),
                "idle": In(1),
                "halt": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = WriteBehind(PARAMETERS, PLACES)
        taken = unit.blocks.valid & unit.blocks.ready
        comes = unit.i.valid & unit.i.ready
        missing, before, inside = Signal(8), Signal(), Signal(8)
        acknowledged = self.acknowledges & (missing != 0)
        offered, payload = Signal(), Signal.like(unit.blocks.payload)
        halted = Signal()
        m.d.sync += [
            missing.eq(missing + taken - acknowledged),
            before.eq(taken),
            inside.eq(inside + comes - taken),
            offered.eq(unit.blocks.valid & ~unit.blocks.ready),
            payload.eq(unit.blocks.payload),
            halted.eq(self.halt),
        ]
        m.d.comb += [
            unit.i.valid.eq(self.valid),
            unit.i.payload.eq(self.block),
            unit.blocks.ready.eq(self.ready & (missing != 200)),
            unit.halt.eq(self.halt),
            unit.writer_idle.eq(self.idle),
            # what was taken in the last cycle it need not know
            Assume(~self.idle | (missing == before)),
            Assume(~halted | self.halt),
            Assert(missing <= 200),
            Assert(~before | (missing != 0)),
            Assert(~unit.settled | ((missing == 0) & (inside == 0)), SETTLED),
            # ties its parts to the books, so that induction closes
            Assert(
                (unit.fifo.level <= PLACES + unit.fifo.r_rdy) & (unit.fifo.level >= unit.fifo.r_rdy)
            ),
            Assert(unit.fifo.level + unit.came == inside),
            # who is told to come finds room: what was ready two cycles ago, and since, has come
            Assert(inside + unit.i.ready <= PLACES, ROOM),
            Assert(~unit.came | unit.fifo.w_rdy, ROOM),
            Assert(~offered | unit.blocks.valid & (unit.blocks.payload == payload)),
            Assert(~halted | ~unit.blocks.valid | offered, "nothing new after halt"),
        ]
        was = Signal()
        with m.If(taken):
            m.d.sync += was.eq(1)
        m.d.comb += [
            Cover(unit.settled & was, "settled after a block"),
            Cover(inside == PLACES, "full"),
        ]
        return m


class OrderMonitor(wiring.Component):
    """As `WriteMonitor`; one block, any, is followed with its command through the queue."""

    def __init__(self) -> None:
        super().__init__(
            {
                "valid": In(1),
                "block": In(write_block(PARAMETERS.block_bits)),
                "index": In(INDEX_BITS),
                "tag": In(Tag),
                "ready": In(1),
                "chosen": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = WriteBehind(PARAMETERS, PLACES)
        comes, leaves = unit.i.valid & unit.i.ready, unit.blocks.valid & unit.blocks.ready
        given = Cat(self.block.as_value(), self.index, self.tag)
        out = Cat(unit.blocks.payload.as_value(), unit.block_index, unit.block_tag)
        held, followed, ahead, inside = Signal.like(given), Signal(), Signal(8), Signal(8)
        follows = comes & self.chosen & ~followed
        last = leaves & followed & (ahead == 0)
        m.d.sync += inside.eq(inside + comes - leaves)
        with m.If(follows):
            m.d.sync += [followed.eq(1), held.eq(given), ahead.eq(inside - leaves)]
        with m.Elif(leaves & followed):
            m.d.sync += [ahead.eq(ahead - 1), followed.eq(~last)]
        m.d.comb += [
            unit.i.valid.eq(self.valid),
            unit.i.payload.eq(self.block),
            unit.index.eq(self.index),
            unit.tag.eq(self.tag),
            unit.blocks.ready.eq(self.ready),
            unit.writer_idle.eq(0),
            Assert(~last | (out == held), ORDER),
            Cover(last & (held[0] == 1), "followed to its end"),
            Cover(last & (inside == PLACES), "with others behind it"),
        ]
        return m


def test_no_word_waits() -> None:
    prove(ReadMonitor(), "read_ahead", depth=2)


def test_words_are_reached() -> None:
    prove(ReadMonitor(), "read_ahead_cover", depth=16, mode="cover")


def test_settled_is_true() -> None:
    prove(WriteMonitor(), "write_behind", depth=4)


def test_settling_is_reached() -> None:
    prove(WriteMonitor(), "write_behind_cover", depth=16, mode="cover")


def test_blocks_keep_their_order() -> None:
    """For twice round: its memory is no state that induction could be told of."""
    prove(OrderMonitor(), "write_behind_order", depth=10, mode="bmc", map_memories=True)


def test_the_followed_block_is_reached() -> None:
    prove(OrderMonitor(), "write_behind_order_cover", depth=14, mode="cover", map_memories=True)


def test_a_block_with_the_command_of_another_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the block that comes in."""
    elaborate = WriteBehind.elaborate

    def mixed(self: WriteBehind, platform: object) -> Module:
        m = elaborate(self, platform)
        m.d.comb += self.block_index.eq(self.index)
        return m

    monkeypatch.setattr(WriteBehind, "elaborate", mixed)
    refute(OrderMonitor(), "write_behind_order_broken", ORDER, depth=10)


def test_a_place_too_many_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    elaborate = ReadAhead.elaborate

    def generous(self: ReadAhead, platform: object) -> Module:
        m = elaborate(self, platform)
        with m.If(self.requests.valid & self.requests.ready & self.left):
            m.d.sync += self.room.eq(self.room - self.runs.payload.words + 2)
        return m

    monkeypatch.setattr(ReadAhead, "elaborate", generous)
    refute(ReadMonitor(), "read_ahead_broken", ROOM, depth=10)


def test_a_block_that_is_forgotten_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that the writer does not know yet."""
    elaborate = WriteBehind.elaborate

    def hasty(self: WriteBehind, platform: object) -> Module:
        m = elaborate(self, platform)
        m.d.sync += self.settled.eq((self.fifo.level == 0) & self.writer_idle)
        return m

    monkeypatch.setattr(WriteBehind, "elaborate", hasty)
    refute(WriteMonitor(), "write_behind_broken", SETTLED, depth=10)
