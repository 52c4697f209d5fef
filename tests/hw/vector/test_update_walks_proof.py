"""Formal, unbounded: an UPDATE reads and writes every word of its half-blocks, once, in order, and
nothing else."""

import pytest
from amaranth.hdl import Assert, Cat, Cover, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from fractrain.hw.flow.layouts import ADDRESS_BITS
from fractrain.hw.flow.tasks import INDEX_BITS
from fractrain.hw.vector.update_blocks import UpdateBlocks
from fractrain.hw.vector.update_layouts import half_block, half_words, together
from fractrain.hw.vector.update_requests import UpdateRequests
from tests.formal.runner import prove, refute
from tests.hw.vector.memory_bench import unit_machine

PARAMETERS = unit_machine()
SIZE = PARAMETERS.word_bytes
WORDS, TOGETHER = half_words(PARAMETERS), together(PARAMETERS)
RUNS = WORDS // TOGETHER
LANES = 4
"""A word of them."""
WHERE = "the address is that of the next words of the half-block"
WHOLE = "a half-block ends with its last words"


class RequestMonitor(wiring.Component):
    """Any half-blocks, a reader that takes runs at any time."""

    def __init__(self) -> None:
        super().__init__(
            {
                "valid": In(1),
                "half": In(half_block(PARAMETERS)),
                "velocity": In(ADDRESS_BITS),
                "index": In(INDEX_BITS),
                "ready": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.requests = requests = UpdateRequests(PARAMETERS)
        run = requests.runs.payload
        m.d.comb += [
            requests.halves.valid.eq(self.valid),
            requests.halves.payload.eq(self.half),
            requests.velocity.eq(self.velocity),
            requests.index.eq(self.index),
            requests.runs.ready.eq(self.ready),
        ]
        busy, half, number = Signal(), Signal(half_block(PARAMETERS)), Signal(range(2 * RUNS))
        velocity = Signal(ADDRESS_BITS)
        taken = requests.halves.valid & requests.halves.ready
        gone = requests.runs.valid & requests.runs.ready
        with m.If(taken):
            m.d.sync += [busy.eq(1), half.eq(self.half), number.eq(0), velocity.eq(self.velocity)]
        with m.Elif(gone):
            m.d.sync += [number.eq(number + 1), busy.eq(number != 2 * RUNS - 1)]
        # weights, then momenta, of each run
        first = half.address + number[1:] * (TOGETHER * SIZE)
        exact = Mux(number[0], first + velocity, first)
        beyond = exact >> ADDRESS_BITS != 0
        low = (SIZE - 1).bit_length()
        m.d.comb += [
            Assert(requests.runs.valid == busy, WHOLE),
            Assert(requests.halves.ready == ~busy, WHOLE),
        ]
        with m.If(busy):
            m.d.comb += [
                Assert(run.words == TOGETHER),
                Assert(beyond | (run.address == exact), WHERE),
                # what does not exist reaches beyond the end, aligned or not as it would be
                Assert(~beyond | (run.address[low:] == (1 << ADDRESS_BITS - low) - 1), WHERE),
                Assert(~beyond | (run.address[:low] == exact[:low]), WHERE),
                # ties the unit's own state to the books, so that induction closes
                Assert(requests.number == number[1:]),
                Assert(requests.second == number[0]),
                Assert(requests.weights == first),
                Assert(requests.momenta == first + velocity),
            ]
        with m.Else():
            m.d.comb += Assert((requests.number == 0) & ~requests.second)
        m.d.comb += [
            Cover(gone & (number == 2 * RUNS - 1) & ~beyond, "whole"),
            Cover(gone & beyond & (number != 0), "beyond"),
        ]
        return m


class BlockMonitor(wiring.Component):
    """Any half-blocks, new weights that come only where there is room, a writer that takes blocks
    at any time."""

    def __init__(self) -> None:
        bits = 32 * LANES
        super().__init__(
            {
                "valid": In(1),
                "half": In(half_block(PARAMETERS)),
                "velocity": In(ADDRESS_BITS),
                "enters": In(1),
                "comes": In(2),
                "momenta": In(bits),
                "weights": In(bits),
                "ready": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = UpdateBlocks(PARAMETERS, LANES)
        on_way = [Signal(range(unit.PLACES + 2), name=name) for name in ("momenta", "weights")]
        comes = [come & (count != 0) for come, count in zip(self.comes, on_way, strict=True)]
        m.d.comb += [
            unit.halves.valid.eq(self.valid),
            unit.halves.payload.eq(self.half),
            unit.velocity.eq(self.velocity),
            unit.entered.eq(self.enters & unit.room),
            unit.momentum_valid.eq(comes[0]),
            # weights come behind their momenta
            unit.weight_valid.eq(comes[1] & (on_way[1] > on_way[0])),
            unit.momenta.eq(self.momenta),
            unit.weights.eq(self.weights),
            unit.blocks.ready.eq(self.ready),
        ]
        for count, come in zip(on_way, (unit.momentum_valid, unit.weight_valid), strict=True):
            m.d.sync += count.eq(count + unit.entered - come)
        self._follow(m, unit)
        return m

    def _follow(self, m: Module, unit: UpdateBlocks) -> None:
        busy, half, number = Signal(), Signal(half_block(PARAMETERS)), Signal(range(2 * WORDS))
        velocity = Signal(ADDRESS_BITS)
        taken = unit.halves.valid & unit.halves.ready
        sent = unit.blocks.valid & unit.blocks.ready
        with m.If(taken):
            m.d.sync += [busy.eq(1), half.eq(self.half), number.eq(0), velocity.eq(self.velocity)]
        with m.Elif(sent):
            m.d.sync += [number.eq(number + 1), busy.eq(number != 2 * WORDS - 1)]
        bits = TOGETHER.bit_length() - 1
        inside, of_weights, run = number[:bits], number[bits], number[bits + 1 :]
        word: Value = Cat(inside, run)
        first = half.address + word * SIZE
        wanted = Mux(of_weights, first, first + velocity)[:ADDRESS_BITS]
        m.d.comb += [
            Assert(unit.busy == busy, WHOLE),
            Assert(~unit.blocks.valid | busy, WHOLE),
            Cover(sent & (number == TOGETHER), "the first of weights"),
        ]
        with m.If(busy):
            base = run * (TOGETHER * SIZE)
            behind = Mux(of_weights, base + TOGETHER * SIZE, base + inside * SIZE)
            m.d.comb += [
                Assert(unit.blocks.payload.address == wanted, WHERE),
                Assert(unit.number == inside),
                Assert(unit.of_weights == of_weights),
                Assert(unit.run == run),
                Assert(
                    unit.weight_address
                    == (half.address + Mux(of_weights, word * SIZE, base))[:ADDRESS_BITS]
                ),
                Assert(unit.momentum_address == (half.address + velocity + behind)[:ADDRESS_BITS]),
            ]
        with m.Else():
            m.d.comb += Assert((unit.number == 0) & ~unit.of_weights)


def test_every_word_is_asked_for_once() -> None:
    prove(RequestMonitor(), "update_requests", depth=2)


def test_requests_are_reached() -> None:
    prove(RequestMonitor(), "update_requests_cover", depth=4 * RUNS + 4, mode="cover")


def test_every_block_is_written_once() -> None:
    prove(BlockMonitor(), "update_blocks", depth=2)


def test_blocks_are_reached() -> None:
    prove(BlockMonitor(), "update_blocks_cover", depth=TOGETHER + 8, mode="cover")


def test_a_run_too_many_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    elaborate = UpdateRequests.elaborate

    def longer(self: UpdateRequests, platform: object) -> Module:
        m = elaborate(self, platform)
        with m.If(self.runs.valid & self.runs.ready & self.second & (self.number == RUNS - 1)):
            m.d.sync += self.busy.eq(1)
        return m

    monkeypatch.setattr(UpdateRequests, "elaborate", longer)
    refute(RequestMonitor(), "update_requests_broken", WHOLE, depth=2 * RUNS + 4)


def test_a_wrong_address_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    elaborate = UpdateBlocks.elaborate

    def astray(self: UpdateBlocks, platform: object) -> Module:
        m = elaborate(self, platform)
        with m.If(self.busy & self.blocks.valid & self.blocks.ready & (self.number == 3)):
            m.d.sync += self.momentum_address.eq(self.momentum_address)
        return m

    monkeypatch.setattr(UpdateBlocks, "elaborate", astray)
    refute(BlockMonitor(), "update_blocks_broken", WHERE, depth=12)
