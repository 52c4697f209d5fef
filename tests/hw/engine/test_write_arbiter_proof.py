"""Formal, unbounded: blocks of two stages leave each once and in order, and no stage waits long."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from fractrain.hw.engine.write_arbiter import STAGES, WriteArbiter
from fractrain.hw.flow.layouts import write_block
from fractrain.hw.flow.tasks import INDEX_BITS
from tests.formal.runner import prove, refute
from tests.hw.vector.memory_bench import unit_machine

PARAMETERS = unit_machine()
BURST = 128 // PARAMETERS.block_bytes
SAME = "a block leaves as it came, with its command's number"
STAYS = "a block on offer stays"
SOON = "nobody waits for more than a burst"


class ArbiterMonitor(wiring.Component):
    """The arbiter with stages and writer that do whatever the stream rules allow; blocks of a stage
    that goes on follow each other."""

    def __init__(self) -> None:
        block = write_block(PARAMETERS.block_bits)
        super().__init__(
            {
                "valid": In(STAGES),
                "block": In(block).array(STAGES),
                "index": In(INDEX_BITS).array(STAGES),
                "ready": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.arbiter = arbiter = WriteArbiter(PARAMETERS)
        m.d.comb += arbiter.o.ready.eq(self.ready)
        passes = [each.valid & each.ready for each in arbiter.i]
        offered, payload = Signal(), Signal.like(arbiter.o.payload)
        for stage, each in enumerate(arbiter.i):
            waits, before = Signal(name=f"waits_{stage}"), Signal.like(self.block[stage])
            index = Signal(INDEX_BITS, name=f"index_{stage}")
            m.d.comb += [
                each.valid.eq(self.valid[stage]),
                each.payload.eq(self.block[stage]),
                arbiter.index[stage].eq(self.index[stage]),
                Assume(
                    ~waits | each.valid & (each.payload == before) & (self.index[stage] == index)
                ),
            ]
            m.d.sync += [
                waits.eq(each.valid & ~each.ready),
                before.eq(each.payload),
                index.eq(self.index[stage]),
            ]
            # ties the arbiter's own state to the books, so that induction closes
            with m.If(offered & (arbiter.turn == stage)):
                m.d.comb += Assert(waits & (payload == before))
            with m.If(passes[stage]):
                m.d.comb += [
                    Assert(arbiter.o.payload == each.payload, SAME),
                    Assert(arbiter.o_index == self.index[stage], SAME),
                ]
            self._wait(m, stage, passes, arbiter.turn)
        transfer = arbiter.o.valid & arbiter.o.ready
        m.d.sync += [
            offered.eq(arbiter.o.valid & ~arbiter.o.ready),
            payload.eq(arbiter.o.payload),
        ]
        m.d.comb += [
            Assert(offered == arbiter.held),
            Assert(transfer == (passes[0] ^ passes[1]), "one for one"),
            Assert(~(passes[0] & passes[1]), "one for one"),
            Assert(arbiter.o.valid == Cat(self.valid).any(), "nobody waits for nothing"),
            Assert(~offered | arbiter.o.valid & (arbiter.o.payload == payload), STAYS),
        ]
        return m

    def _wait(self, m: Module, stage: int, passes: list, turn: Signal) -> None:
        """Blocks of the other stage, which follow each other, while this one waits."""
        other = 1 - stage
        count = Signal(range(BURST + 2), name=f"passed_{stage}")
        place = self.block[other].address[PARAMETERS.block_bytes.bit_length() - 1 : 7]
        expected = Signal.like(place, name=f"expected_{stage}")
        known = Signal(name=f"known_{stage}")
        with m.If(passes[other]):
            m.d.sync += [expected.eq(place + 1), known.eq(1)]
        m.d.comb += Assume(~known | ~self.valid[other] | (place == expected))
        with m.If(passes[stage] | ~self.valid[stage]):
            m.d.sync += count.eq(0)
        with m.Elif(passes[other] & (count != BURST + 1)):
            m.d.sync += count.eq(count + 1)
        m.d.comb += [
            Assert(count <= BURST, SOON),
            # counted are blocks of one burst; with its last one it is this stage's turn
            Assert((count == 0) | known & ((turn == stage) | (expected >= count))),
            Cover(passes[stage] & (count == BURST - 1), f"{stage} waited"),
        ]


def test_each_block_once_and_soon() -> None:
    prove(ArbiterMonitor(), "write_arbiter", depth=2)


def test_the_proof_is_not_of_nothing() -> None:
    prove(ArbiterMonitor(), "write_arbiter_cover", depth=2 * BURST + 4, mode="cover")


def test_a_stage_that_goes_on_for_ever_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    elaborate = WriteArbiter.elaborate

    def greedy(self: WriteArbiter, platform: object) -> Module:
        self.parameters = PARAMETERS
        m = elaborate(self, platform)
        m.d.comb += self.i[1].ready.eq(self.o.ready & ~self.i[0].valid)
        m.d.comb += self.i[0].ready.eq(self.o.ready & self.i[0].valid)
        return m

    monkeypatch.setattr(WriteArbiter, "elaborate", greedy)
    refute(ArbiterMonitor(), "write_arbiter_broken", SOON, depth=BURST + 6)
