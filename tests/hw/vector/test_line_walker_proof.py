"""Formal, unbounded: every pair of lines of every block in every pass, once and in order."""

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from fractrain.hw.vector.line_layouts import tensor_shape
from fractrain.hw.vector.line_walker import LineWalker
from tests.formal.runner import prove, refute
from tests.hw.vector.vector_machine import vector_machine

LOOPS = {"tiles_x": "x", "tiles_y": "y", "images": "image", "channel_groups": "group"}
CYCLES = 14
"""Within which the covers are reached: two blocks of four pairs each."""


class WalkerMonitor(wiring.Component):
    """The walker with any tensor, any sets and any consumer, and the assertions about it.

    Its books count up from 0 where the walker counts down to 1: in each loop, and in the pass.
    """

    def __init__(self) -> None:
        self.walker = LineWalker(vector_machine(8))
        self.sets = self.walker.set_count
        super().__init__(
            {
                "start": In(1),
                "ready": In(1),
                "shape": In(tensor_shape()),
                "sets_wanted": In(self.sets),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.walker = walker = self.walker
        # the tensor and its sets are held from the start to the last step
        shape, sets = Signal(tensor_shape()), Signal(self.sets)
        begins = self.start & ~walker.busy
        now_shape = Mux(begins, self.shape.as_value(), shape.as_value())
        now_sets = Mux(begins, self.sets_wanted, sets)
        m.d.sync += [shape.as_value().eq(now_shape), sets.eq(now_sets)]
        m.d.comb += [
            walker.start.eq(self.start),
            walker.shape.eq(now_shape),
            walker.sets.eq(now_sets),
            walker.steps.ready.eq(self.ready),
            Assume(self.sets_wanted != 0),
            *(Assume(self.shape[count] != 0) for count in LOOPS),
        ]
        step = walker.steps.payload
        books = {name: Signal.like(self.shape[count], name=name) for count, name in LOOPS.items()}
        pair, number = Signal.like(step.pair), Signal.like(step.set)
        ends, taken = self._advance(m, begins, shape, sets, books, pair, number)
        m.d.comb += [
            Assert(walker.steps.valid == walker.busy),
            Cover(taken & ends & (books["group"] == 1)),
            Cover(taken & ends & (books["x"] == 1)),
        ]
        running = Signal()
        with m.If(begins):
            m.d.sync += running.eq(1)
        with m.Elif(taken & ends):
            m.d.sync += running.eq(0)
        m.d.comb += Assert(walker.busy == running, "from the start to the last step")
        with m.If(running):
            m.d.comb += [
                Assert(step.pair == pair),
                Assert(step.set == number, "every set in turn"),
                Assert(sets.bit_select(number, 1)),
                Assert(sets != 0),
                Assert(step.group == books["group"], "every group in turn"),
                Assert(step.image == books["image"]),
                Assert(step.last_x == (books["x"] == shape.tiles_x - 1)),
                Assert(step.last_y == (books["y"] == shape.tiles_y - 1)),
                Assert(step.ends == ends, "it ends when all has been walked"),
            ]
            for count, name in LOOPS.items():
                m.d.comb += [
                    Assert(books[name] < shape[count]),
                    # ties the walker's counts to the books, so that induction closes
                    Assert(walker.left[count] == shape[count] - books[name]),
                ]
        return m

    def _advance(
        self,
        m: Module,
        begins: Value,
        shape: Value,
        sets: Value,
        books: dict[str, Signal],
        pair: Signal,
        number: Signal,
    ) -> tuple[Value, Value]:
        """The books go on as the loops say; whether all are at their ends, whether a step went."""
        walker = self.walker
        taken = walker.steps.valid & walker.steps.ready
        lowest, following, last_set = Signal.like(number), Signal.like(number), Signal()
        m.d.comb += last_set.eq((sets >> number) == 1)
        for each in reversed(range(self.sets)):
            with m.If(Mux(begins, self.sets_wanted, sets).bit_select(each, 1)):
                m.d.comb += lowest.eq(each)
                with m.If(each > number):
                    m.d.comb += following.eq(each)
        last_pair = pair == (1 << len(pair)) - 1
        carry: Value = taken & last_pair & last_set
        ends: Value = last_pair & last_set
        with m.If(begins):
            m.d.sync += [pair.eq(0), number.eq(lowest)]
            m.d.sync += [each.eq(0) for each in books.values()]
        with m.Elif(taken):
            m.d.sync += pair.eq(pair + 1)
            with m.If(last_pair):
                m.d.sync += number.eq(Mux(last_set, lowest, following))
            for count, name in LOOPS.items():
                at_end = books[name] == shape[count] - 1
                with m.If(carry):
                    m.d.sync += books[name].eq(Mux(at_end, 0, books[name] + 1))
                carry, ends = carry & at_end, ends & at_end
        return ends, taken


def test_all_steps_in_order() -> None:
    prove(WalkerMonitor(), "line_walker", depth=2)


def test_the_proof_is_not_of_nothing() -> None:
    prove(WalkerMonitor(), "line_walker_cover", depth=CYCLES, mode="cover")


def test_the_proof_notices_a_skipped_set(monkeypatch: pytest.MonkeyPatch) -> None:
    later = LineWalker._later_set

    def broken(self: LineWalker) -> tuple[Value, Value]:
        found, none = later(self)
        return found | 1, none

    monkeypatch.setattr(LineWalker, "_later_set", broken)
    refute(WalkerMonitor(), "line_walker_sets", "every set in turn", depth=8)
