"""What the pass sequencer must do, stated over its ports; proved in `test_pass_sequencer_proof`.

One task, the ``chosen``th, is followed: what is true of it is true of all. The monitor notes it
down when it is taken, counts the ends of tasks at the output until it is its turn, and then walks
through the loop nest of `Convolve` with books of its own.
"""

from collections.abc import Iterator

from amaranth.hdl import Assert, Assume, Cover, Module, Mux, Signal, Value
from amaranth.lib import data, wiring

from fractrain.hw.contract.commands import Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.tasks import command_view, digit_bits, stage_task, tail_bits
from fractrain.hw.sequencer.pass_sequencer import ADDRESS_BITS, PassSequencer

WORD = "the column word of the pass"
SIGN = "the plane of the row digit that is negative"
LOST = "nothing is lost"
GAPLESS = "a pass in every cycle"

TASK_BITS = 4
LOOPS = ("images", "tiles_y", "tiles_x", "slices", "rows", "columns")

COUNTS = ("images", "tiles_y", "tiles_x", "slices")
FREE = {"reduce": 1, "start": 1, "finish": 1, "row_signed": 1, "column_signed": 1}
FREE |= {"groups": 2, "tag": 1, "column_address": 4, "column_slice_stride": 4, "signal": 1}
"""Fields of the command that are arbitrary, and how many of their low bits; the others are 0."""


class PassMonitor(wiring.Component):
    """The sequencer with arbitrary tasks and an arbitrary consumer, and the assertions about it.

    Every loop has one or two turns, and fields that are only copied or added have few bits that
    are not 0: what more there could be is the same again, and beyond the solver.

    ``steady`` : there is always a next task, and nobody stalls: then there must be a pass in every
    cycle. With fewer choices, the solver reaches further.
    """

    def __init__(self, parameters: Parameters, *, steady: bool = False):
        self.parameters, self.steady = parameters, steady
        self.spatial = parameters.array.spatial_bits
        self.sequencer = PassSequencer(parameters)
        super().__init__(
            {
                "task_valid": wiring.In(1),
                "pass_ready": wiring.In(1),
                "chosen": wiring.In(TASK_BITS),
                # of the task on offer
                "twice": wiring.In(len(LOOPS)),
                "pattern": wiring.In(1),
                "skip": wiring.In(1),
                "tails": wiring.In(data.ArrayLayout(tail_bits(parameters), 2)),
                "number": wiring.In(3),
                **{name: wiring.In(width) for name, width in FREE.items()},
            }
        )
        self.task = Signal(stage_task(parameters))
        # the books
        self.current = Signal(stage_task(parameters))
        self.known = Signal()
        self.taken = Signal(TASK_BITS)
        self.ended = Signal(TASK_BITS)
        self.counters = {name: Signal(1, name=f"at_{name}") for name in LOOPS}
        self.base = Signal(ADDRESS_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sequencer = sequencer = self.sequencer
        m.d.comb += [
            sequencer.tasks.valid.eq(self.task_valid | self.steady),
            sequencer.tasks.payload.eq(self.task),
            sequencer.passes.ready.eq(self.pass_ready | self.steady),
        ]
        self._offer(m)
        self._assume_legal(m)
        self._follow(m)
        self._assert_item(m)
        self._walk(m)
        self._reach(m)
        if self.steady:
            self._assert_no_gap(m)
        return m

    def _read(self, name: str) -> Value:
        return command_view(Opcode.CONVOLVE, self.current.command)[name]

    def _counts(self) -> dict[str, Value]:
        counts = {name: self._read(name) for name in COUNTS}
        return counts | {"rows": self.current.digits, "columns": self.current.partner_digits}

    def _offer(self, m: Module) -> None:
        """The task on offer, from the inputs."""
        task, turns = self.task, {name: 1 + self.twice[i] for i, name in enumerate(LOOPS)}
        opcode = Mux(self.pattern, Opcode.PATTERN, Opcode.CONVOLVE)
        values = {name: getattr(self, name) for name in FREE} | {"opcode": opcode}
        values |= {name: turns[name] for name in COUNTS}
        m.d.comb += [
            command_view(Opcode.CONVOLVE, task.command)[name].eq(value)
            for name, value in values.items()
        ]
        m.d.comb += [
            task.index.eq(self.number),
            task.digits.eq(turns["rows"]),
            task.partner_digits.eq(turns["columns"]),
            task.tail.eq(self.tails[0]),
            task.partner_tail.eq(self.tails[1]),
            task.skip.eq(self.skip),
        ]

    def _assume_legal(self, m: Module) -> None:
        """What the decoder guarantees, and a chosen task that stays the same."""
        for tail in self.tails:
            m.d.comb += Assume((tail >= 1) & (tail <= self.spatial))
        started, before = Signal(), Signal.like(self.chosen)
        m.d.sync += [started.eq(1), before.eq(self.chosen)]
        m.d.comb += Assume(~started | (self.chosen == before))
        # the counts of tasks do not wrap within the bound
        m.d.comb += Assume(self.taken != (1 << TASK_BITS) - 1)

    def _follow(self, m: Module) -> None:
        tasks, passes = self.sequencer.tasks, self.sequencer.passes
        with m.If(tasks.valid & tasks.ready):
            m.d.sync += self.taken.eq(self.taken + 1)
            with m.If(self.taken == self.chosen):
                m.d.sync += [self.current.eq(self.task), self.known.eq(1)]
        with m.If(passes.valid & passes.ready & passes.payload.ends):
            m.d.sync += self.ended.eq(self.ended + 1)
        # nothing is lost
        with m.If(self.sequencer.empty):
            m.d.comb += Assert(self.taken == self.ended, LOST)

    def _has_passes(self) -> Value:
        return (self._read("opcode") == Opcode.CONVOLVE) & ~self.current.skip

    def _assert_item(self, m: Module) -> None:
        passes = self.sequencer.passes
        payload = passes.payload
        with m.If(passes.valid & (self.ended == self.chosen)):
            m.d.comb += [
                Assert(self.known),
                Assert(payload.index == self.current.index),
                Assert(payload.tag == self._read("tag")),
                Assert(payload.signal == self._read("signal")[0]),
                Assert(payload.empty == ~self._has_passes()),
            ]
            with m.If(payload.empty):
                m.d.comb += Assert(payload.ends & ~payload.new_window & ~payload.last)
            with m.Else():
                self._assert_pass(m, payload)

    def _assert_pass(self, m: Module, payload: Value) -> None:
        at, task = self.counters, self.current
        starts = {name: at[name] == 0 for name in LOOPS}
        ends = {name: at[name] + 1 == count for name, count in self._counts().items()}
        alone = ~self._read("reduce")
        below = (task.digits - 1 - at["rows"]) + (task.partner_digits - 1 - at["columns"])
        m.d.comb += [
            Assert(payload.ends == _all(ends[name] for name in LOOPS)),
            Assert(
                payload.first
                == (
                    self._read("start")
                    & _all(starts[name] for name in LOOPS[3:])
                    & (alone | _all(starts[name] for name in LOOPS[:3]))
                )
            ),
            Assert(
                payload.last
                == (
                    self._read("finish")
                    & _all(ends[name] for name in LOOPS[3:])
                    & (alone | _all(ends[name] for name in LOOPS[:3]))
                )
            ),
            Assert(payload.new_window == starts["columns"]),
            Assert(payload.column_address == (self.base + at["columns"])[:ADDRESS_BITS], WORD),
            Assert(payload.groups == self._read("groups")),
            Assert(payload.shift == (self.spatial * below)[: len(payload.shift)]),
            Assert(payload.excess == 2 * self.spatial - task.tail - task.partner_tail),
        ]
        for side, digits, tail, place in (
            ("row", task.digits, task.tail, at["rows"]),
            ("column", task.partner_digits, task.partner_tail, at["columns"]),
        ):
            width = self.spatial * (digits - 1) + tail
            for plane in range(self.spatial):
                from_top = place[: digit_bits(self.parameters)] * self.spatial + plane
                signed = self._read(f"{side}_signed")
                m.d.comb += [
                    Assert(payload[f"{side}_enable"][plane] == (from_top < width)),
                    Assert(
                        payload[f"{side}_negative"][plane] == (signed & (from_top == 0)),
                        SIGN.replace("row", side),
                    ),
                ]

    def _walk(self, m: Module) -> None:
        """On to the next place in the loop nest, and to its column words."""
        tasks, passes = self.sequencer.tasks, self.sequencer.passes
        with m.If(tasks.valid & tasks.ready & (self.taken == self.chosen)):
            m.d.sync += self.base.eq(
                command_view(Opcode.CONVOLVE, self.task.command).column_address
            )
        with m.If(passes.valid & passes.ready & (self.ended == self.chosen)):
            turns = Signal(len(LOOPS))
            counts = self._counts()
            # a loop goes on when all loops inside it have ended
            inner_ended: Value = Signal(1, init=1, name="always")
            for number, name in reversed(list(enumerate(LOOPS))):
                ended = self.counters[name] + 1 == counts[name]
                m.d.comb += turns[number].eq(inner_ended)
                with m.If(turns[number]):
                    m.d.sync += self.counters[name].eq(self.counters[name] + 1)
                    with m.If(ended):
                        m.d.sync += self.counters[name].eq(0)
                inner_ended = inner_ended & ended
            next_slice, next_place = turns[3], turns[2]
            with m.If(next_place & ~self._read("reduce")):
                m.d.sync += self.base.eq(self._read("column_address"))
            with m.Elif(next_slice):
                m.d.sync += self.base.eq(self.base + self._read("column_slice_stride"))

    def _reach(self, m: Module) -> None:
        """What must be possible, lest the proof be of nothing: every loop in its last turn, the
        last pass of a task of several, tasks without passes, and all of it in the second task."""
        passes, stalled = self.sequencer.passes, Signal()
        with m.If(passes.valid & ~passes.ready):
            m.d.sync += stalled.eq(1)
        followed = passes.valid & passes.ready & self.known & (self.ended == self.chosen)
        second = followed & (self.chosen == 1)
        inner = self.counters["rows"].any() & self.counters["columns"].any()
        for name in LOOPS:
            m.d.comb += Cover(followed & self.counters[name].all(), f"the last of {name}")
        m.d.comb += [
            Cover(second & passes.payload.ends & inner, "the last pass of the second task"),
            Cover(second & passes.payload.empty & self.current.skip, "a second one, skipped"),
            Cover(second & passes.payload.first & passes.payload.signal, "one that gives a token"),
            Cover(self.known & self.sequencer.empty & (self.ended == 1), "all have gone"),
        ]
        if not self.steady:
            m.d.comb += Cover(second & stalled & inner, "a pass of the second task after a stall")

    def _assert_no_gap(self, m: Module) -> None:
        since = Signal(range(self.sequencer.latency_cycles + 1))
        with m.If(since != self.sequencer.latency_cycles):
            m.d.sync += since.eq(since + 1)
        with m.Else():
            m.d.comb += Assert(self.sequencer.passes.valid, GAPLESS)


def _all(conditions: Iterator[Value]) -> Value:
    result, *others = conditions
    for each in others:
        result = result & each
    return result
