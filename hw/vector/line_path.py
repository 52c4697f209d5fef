"""The line path: a tensor's lines through the lanes, from the memories and back."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.numerics import LIFTED_FRACTION
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.random_bits import SEED_BITS, STEP_BITS, WORD_PIXELS
from fractrain.hw.contract.records import RECORD_BITS
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import plane_write, write_block
from fractrain.hw.vector.byte_queue import ByteQueue
from fractrain.hw.vector.channel_table import ChannelTable
from fractrain.hw.vector.digit_rows import DigitRows
from fractrain.hw.vector.image_edges import ImageEdges
from fractrain.hw.vector.line_lanes import LineLanes
from fractrain.hw.vector.line_layouts import (
    line_step,
    line_task,
    peak_report,
    vector_of,
)
from fractrain.hw.vector.line_reader import LineReader
from fractrain.hw.vector.line_store import LineStore
from fractrain.hw.vector.line_walker import LineWalker
from fractrain.hw.vector.peak import Peak
from fractrain.hw.vector.plane_sender import STASH_WORDS, PlaneSender, leaving_block
from fractrain.hw.vector.plane_turn import PlaneTurn
from fractrain.hw.vector.words import bits_of

__all__ = ["LinePath"]

STEPS_AHEAD = 16
"""Pairs of lines on their way, that have been read or wait for random bytes."""


class LinePath(wiring.Component):
    """Carries out FORM, NORMALIZE, RECOMPUTE and APPLY, one after the other.

    ::

        staging, side → LineReader → LineLanes ─┬→ DigitRows → PlaneTurn → PlaneSender → planes,
        parameters → ChannelTable ──┘   ↑       │                                      → stash
                            ByteQueue ──┘       ├→ LineStore → staging, side
        LineWalker ─ steps ─ all of them        └→ Peak

    Members
    -------
    tasks : In(stream of `line_task`)     counts are 1 or more, bits as `VectorLanes` takes them
    seed, step : In                       of the random bits; held while a task is at work
    staging_reads, staging, staging_writes; side_reads, side, side_writes
                                          a client of two `LineMemory`; ``side_writes`` has its turn
                                          always
    record_reads, answer, record          a reader of the `ParameterMemory`
    plane_write : Out(`plane_write`)      has its turn always
    blocks : Out(stream of `write_block`) to the stash
    writer_idle : In(1)                   memory has acknowledged all blocks; low from the second
                                          cycle on after one was taken
    peaks : Out(stream of `peak_report`)
    ended : Out(1)       a task has ended: all that it makes is where it belongs
    banks, writes : Out(1)     in this cycle lines wait for a turn of a memory; for the stash
    line : Out(1)              a line is done
    fault : Out(Fault)         for a cycle: ADDRESS beyond an on-chip memory, or a line that is not
                               the first of its pair; COUNT for an APPLY whose pixels' numbers do
                               not follow each other. The path then stops until reset.
    busy : Out(1)

    Timing: a line a cycle, with y and a shortcut every other; a block passes as often as its digits
    need (`digit_sets`). A task takes `overhead_cycles` beside its lines, the last read and the last
    write; the path stops between blocks for memory, never in one.
    Not here: ``pooled``, and CARRY: who makes tasks refuses them.
    """

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters, self.primitives = parameters, primitives
        vector, pixels = vector_of(parameters), parameters.array.rows
        channels = parameters.block.channels
        self.reader = LineReader(parameters, primitives=primitives)
        self.store = LineStore(parameters)
        self.table = ChannelTable(parameters)
        self.lanes = LineLanes(parameters, primitives=primitives)
        self.bytes = ByteQueue(parameters)
        self.walker = LineWalker(parameters)
        self.turn = PlaneTurn(pixels, channels, primitives=primitives)
        self.rows = DigitRows(parameters)
        self.sender = PlaneSender(parameters)
        self.edges = ImageEdges(parameters)
        self.peak = Peak(pixels, bits_of("W"), primitives=primitives)
        reader, store = self.reader.signature.members, self.store.signature.members
        super().__init__(
            {
                "tasks": In(stream.Signature(line_task())),
                "seed": In(SEED_BITS),
                "step": In(STEP_BITS),
                **{name: reader[name] for name in ("staging_reads", "side_reads")},
                **{name: reader[name] for name in ("staging", "side")},
                **{name: store[name] for name in ("staging_writes", "side_writes")},
                "record_reads": Out(stream.Signature(range(vector.parameter_words))),
                "answer": In(1),
                "record": In(RECORD_BITS),
                "plane_write": Out(plane_write(parameters)),
                "blocks": Out(stream.Signature(write_block(parameters.block_bits))),
                "writer_idle": In(1),
                "peaks": Out(stream.Signature(peak_report())),
                "ended": Out(1),
                "banks": Out(1),
                "writes": Out(1),
                "line": Out(1),
                "fault": Out(Fault),
                "busy": Out(1),
            }
        )
        self.task = Signal(line_task(), reset_less=True)
        self.start, self.failed = Signal(), Signal()
        self.drains, self.last_line = Signal(), Signal()
        self.row_here = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name in "reader store table lanes bytes walker turn rows sender edges peak".split():
            m.submodules[name] = getattr(self, name)
        for each in (self.reader, self.store, self.table, self.lanes, self.sender):
            m.d.comb += each.task.eq(self.task)
        m.d.comb += self.edges.shape.eq(self.task.entry)
        self._run(m)
        steps = self._walk(m)
        self._read(m, steps)
        self._connect_lanes(m)
        self._finish_lines(m)
        self._report(m)
        return m

    # -- a task -----------------------------------------------------------------------------

    def _run(self, m: Module) -> None:
        task, drained = self.task, Signal(range(self.parameters.block.channels))
        walks, report = Signal(), self.peaks
        settle = Signal(range(4))
        m.d.comb += [
            self.walker.start.eq(walks),
            self.walker.shape.eq(task.entry),
            self.walker.sets.eq(self.sender.sets),
            self.bytes.key.eq(Cat(self.seed, Const(0, 1), task.tensor, self.step)),
            self.bytes.load.eq(self.start & task.applies),
            self.peak.clear.eq(self.start),
            self.table.start.eq(self.start),
            self.sender.start.eq(self.start),
            report.payload.address.eq(task.peak),
            report.payload.magnitude.eq(
                Mux(task.applies, self.peak.greatest, self.peak.greatest >> LIFTED_FRACTION)
            ),
        ]
        with m.FSM(name="task") as fsm:
            with m.State("IDLE"):
                m.d.comb += self.tasks.ready.eq(1)
                m.d.sync += self.task.eq(self.tasks.payload)
                with m.If(self.tasks.valid):
                    m.next = "START"
            with m.State("START"):
                m.d.comb += self.start.eq(1)
                m.next = "PREPARE"
            with m.State("PREPARE"):
                ready = self.sender.prepared & (~task.applies | self.bytes.ready)
                with m.If(ready & ~self.failed):
                    m.d.comb += walks.eq(1)
                    m.next = "LINES"
            with m.State("LINES"):
                m.d.sync += drained.eq(0)
                with m.If(self.last_line):
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += self.drains.eq(1)
                m.d.sync += [drained.eq(drained + 1), settle.eq(0)]
                with m.If(drained == self.parameters.block.channels - 1):
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                # the last row is still to be here; the writer's flag follows two cycles late
                quiet = self.sender.empty & self.store.empty
                m.d.sync += settle.eq(Mux(quiet, settle + 1, 0))
                with m.If(quiet & (settle == 3) & self.writer_idle):
                    m.d.comb += self.peak.collect.eq(task.raises)
                    m.next = "PEAK"
            with m.State("PEAK"):
                m.d.comb += report.valid.eq(self.peak.done & task.raises)
                with m.If(~task.raises | (report.valid & report.ready)):
                    m.d.comb += self.ended.eq(1)
                    m.next = "IDLE"
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))

    def _walk(self, m: Module) -> Fifo:
        """Steps into their queue; where numbers are rounded at random, with a counter each."""
        m.submodules.steps = steps = Fifo(line_step(self.parameters), STEPS_AHEAD + Fifo.SLACK)
        offered, step = self.walker.steps, self.walker.steps.payload
        counter, applies = self.bytes.counters, self.task.applies
        channels = self.parameters.block.channels
        lines = WORD_PIXELS // self.parameters.array.rows
        m.d.comb += [
            offered.ready.eq(steps.w_rdy & (~applies | counter.ready)),
            steps.w_en.eq(offered.valid & offered.ready),
            steps.w_data.eq(step.as_value()),
            counter.valid.eq(offered.valid & applies & steps.w_rdy),
            counter.payload.image.eq(self.task.first_image + step.image),
            counter.payload.group.eq(step.image_block // lines),
            counter.payload.pair.eq(Cat(step.pair, step.group)),
        ]
        assert channels // 2 == 1 << len(step.pair)
        return steps

    def _read(self, m: Module, steps: Fifo) -> None:
        reader, step, task = self.reader, steps.head, self.task
        m.submodules.work = work = Fifo(line_step(self.parameters), STEPS_AHEAD + Fifo.SLACK)
        for name in ("staging_reads", "side_reads"):
            connect(m, getattr(reader, name), flipped(getattr(self, name)))
        reserved = Signal(range(STASH_WORDS + 1))
        begins_block = step.pair == 0
        words = self.sender.words[step.set]
        room = ~begins_block | (reserved + words <= STASH_WORDS)
        there = Mux(step.group[0], self.table.there[1], self.table.there[0])
        taken = reader.steps.valid & reader.steps.ready
        m.d.comb += [
            reader.staging.eq(self.staging),
            reader.side.eq(self.side),
            reader.steps.valid.eq(steps.r_rdy & ~self.failed),
            reader.steps.payload.eq(step),
            steps.r_en.eq(taken),
            reader.go.eq(
                there
                & room
                & work.w_rdy
                & (~task.applies | self.bytes.there)
                & (~task.writes_staging | self.store.room)
            ),
            self.bytes.claim.eq(taken & task.applies),
            self.store.claim.eq(taken & task.writes_staging),
            self.writes.eq(steps.r_rdy & ~room),
            self.banks.eq(reader.banks),
            work.w_en.eq(taken),
            work.w_data.eq(step.as_value()),
        ]
        m.d.sync += reserved.eq(reserved + Mux(taken & begins_block, words, 0) - self.sender.gone)
        self.work = work

    # -- lines ------------------------------------------------------------------------------

    def _connect_lanes(self, m: Module) -> None:
        lanes, reader, table, bytes_ = self.lanes, self.reader, self.table, self.bytes
        connect(m, table.reads, flipped(self.record_reads))
        m.d.comb += [
            table.answer.eq(self.answer),
            table.record.eq(self.record),
            table.done.eq(reader.beat.ends_group),
            table.half.eq(lanes.half),
            table.channel.eq(lanes.channel),
            lanes.table.eq(table.numbers),
            lanes.residual_factor.eq(table.residual_factor),
            lanes.early.eq(reader.early),
            lanes.beat.eq(reader.beat),
            lanes.numbers.eq(reader.numbers),
            lanes.side_numbers.eq(reader.side_numbers),
            lanes.bytes.eq(bytes_.bytes),
            bytes_.take.eq(lanes.take),
            bytes_.odd_block.eq(lanes.odd_block),
        ]

    def _finish_lines(self, m: Module) -> None:
        """What a line's sum says, then what its digits say."""
        lanes, task, work = self.lanes, self.task, self.work
        odd = Signal()
        m.d.sync += odd.eq(odd ^ lanes.sum)
        m.d.comb += work.r_en.eq(lanes.sum & odd)
        facts = [work.head]
        for cycle in range(1, LineLanes.APPLY_ROWS + 1):
            facts.append(delayed(m, facts[-1], 1, name=f"facts_{cycle}"))
        form, apply = LineLanes.FORM_ROWS, LineLanes.APPLY_ROWS
        line = Signal(line_step(self.parameters))
        m.d.comb += [
            line.eq(Mux(task.applies, facts[apply].as_value(), facts[form].as_value())),
            self.rows.set_next.eq(Mux(task.applies, facts[apply - 1].set, facts[form - 1].set)),
        ]
        self._raise_peak(m, facts[0])
        self._turn_rows(m, line)
        second = delayed(m, odd, form, name="second_line", reset_less=False)
        second_late = delayed(m, second, apply - form, name="second_late", reset_less=False)
        second_line = Mux(task.applies, second_late, second)
        store = self.store
        connect(m, store.staging_writes, flipped(self.staging_writes))
        connect(m, store.side_writes, flipped(self.side_writes))
        m.d.comb += [
            store.sum.eq(lanes.sum),
            store.sum_step.eq(facts[0]),
            store.sum_odd.eq(odd),
            store.sums.eq(lanes.sums),
            store.sum_inside.eq(self._inside(facts[0])),
            store.line.eq(lanes.line),
            store.line_step.eq(line),
            store.line_odd.eq(second_line),
            store.inside.eq(self._inside(line)),
            store.numbers.eq(self._residual()),
            store.mask.eq(lanes.mask),
            self.last_line.eq(lanes.line & line.ends & second_line),
            self.line.eq(lanes.line & line.last_pass),
        ]

    def _inside(self, step: Value) -> Value:
        edges, pixels = self.edges, self.parameters.array.rows
        beyond_x = edges.beyond_x & step.last_x.replicate(pixels)
        return ~(beyond_x | (edges.beyond_y & step.last_y.replicate(pixels)))

    def _residual(self) -> Value:
        """r, or what came, at the top of words of the side memory."""
        bits = vector_of(self.parameters).side_bits
        made = Cat(each[len(each) - bits :] for each in self.lanes.stream)
        return Mux(self.task.copies, self.lanes.side.as_value(), made)

    def _raise_peak(self, m: Module, step: Value) -> None:
        lanes, task = self.lanes, self.task
        counts = Cat(task.applies | ~each[-1] for each in lanes.sums) & self._inside(step)
        m.d.comb += [
            self.peak.numbers.eq(lanes.sums),
            self.peak.take.eq(
                counts & (lanes.sum & step.last_pass).replicate(self.parameters.array.rows)
            ),
        ]

    def _turn_rows(self, m: Module, line: Value) -> None:
        rows, turn, sender, lanes = self.rows, self.turn, self.sender, self.lanes
        bits = vector_of(self.parameters).side_bits
        residual = self._residual()
        tops = (residual[bits * pixel :][:bits] for pixel in range(self.parameters.array.rows))
        top = Cat(each[bits - 8 :] for each in tops)
        entering = Signal(leaving_block(self.parameters), reset_less=True)
        leaving = Signal(leaving_block(self.parameters))
        here = self.row_here
        m.d.comb += [
            rows.inside.eq(self._inside(line)),
            rows.activations.eq(lanes.activations),
            rows.residual.eq(top),
            rows.normalized.eq(lanes.normalized),
            rows.errors.eq(lanes.errors),
            rows.mask.eq(lanes.mask),
            turn.comes.eq(lanes.line | self.drains),
            turn.rows.eq(rows.rows),
            sender.comes.eq(here),
            sender.place.eq(turn.place),
            sender.word.eq(turn.word),
            sender.block.eq(leaving),
            self.plane_write.eq(sender.plane_write),
        ]
        connect(m, sender.blocks, flipped(self.blocks))
        m.d.sync += [
            here.eq(turn.comes),
            entering.there.eq(lanes.line),
            *(entering[name].eq(line[name]) for name in ("set", "stash_offset", "plane_offset")),
        ]
        with m.If(here & (turn.place == self.parameters.block.channels - 1)):
            m.d.sync += leaving.eq(entering)

    # -- faults -----------------------------------------------------------------------------

    def _report(self, m: Module) -> None:
        # the edges are those of the task two cycles after it came
        known = delayed(m, self.start, 1, name="known", reset_less=False)
        beyond = self.reader.beyond | self.table.beyond | self.sender.beyond | self.store.beyond
        unordered = known & self.task.applies & ~self.edges.contiguous
        with m.If(~self.failed & (beyond | unordered)):
            m.d.sync += [self.failed.eq(1), self.fault.eq(Mux(beyond, Fault.ADDRESS, Fault.COUNT))]
        with m.Else():
            m.d.sync += self.fault.eq(Fault.NONE)
