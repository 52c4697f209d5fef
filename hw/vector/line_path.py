"""The line path: a tensor's lines through the lanes, from the memories and back."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.random_bits import SEED_BITS, STEP_BITS, WORD_PIXELS
from fractrain.hw.contract.records import RECORD_BITS, SHIFT_BITS
from fractrain.hw.contract.threefry import WORD_BITS
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.vector.byte_queue import ByteQueue
from fractrain.hw.vector.channel_table import ChannelTable
from fractrain.hw.vector.key_schedule import KeySchedule
from fractrain.hw.vector.line_lanes import LineLanes, lane_results
from fractrain.hw.vector.line_layouts import (
    carried_line,
    line_step,
    line_task,
    vector_of,
)
from fractrain.hw.vector.line_reader import LineReader
from fractrain.hw.vector.line_results import LineResults
from fractrain.hw.vector.line_store import pair_number, pairs_left
from fractrain.hw.vector.line_walker import LineWalker
from fractrain.hw.vector.plane_sender import STASH_WORDS
from fractrain.hw.vector.random_bytes import RandomBytes

__all__ = ["LinePath"]

STEPS_AHEAD = 16
"""Pairs of lines on their way, that have been read or wait for random bytes."""


class LinePath(wiring.Component):
    """Carries out FORM, NORMALIZE, RECOMPUTE, APPLY and CARRY, one after the other.

    ::

        staging, side → LineReader → LineLanes → LineResults → planes, stash, pooled sums in memory
        parameters → ChannelTable ──┘  ↑                     → staging, side
                           ByteQueue ──┘                     → peaks
        LineWalker ─ steps ─ all of them

    Members
    -------
    tasks : In(stream of `line_task`)     counts are 1 or more, bits as `VectorLanes` takes them
    seed, step : In                       of the random bits; held while a task is at work
    staging_reads, staging, staging_writes; side_reads, side, side_writes
                                          a client of two `LineMemory`; ``side_writes`` has to have
                                          its turn always: RESULT does not write that memory, and
                                          FETCH comes last in its ``write_order``
    record_reads, answer, record          a reader of the `ParameterMemory`
    plane_write : Out(`plane_write`)      has its turn always
    blocks : Out(stream of `write_block`) of the stash, and pooled sums
    key, load, key_ready, counters, random_valid, random    of a `RandomBytes`, which has the key
                                          from START to the end of the task
    settled : In(1)                       a task may end with all its blocks taken; low, if it may
                                          not, from the second cycle on after one was
    peaks : Out(stream of `peak_report`)
    carried : Out(`carried_line`), carries : Out(1)     a line of a CARRY leaves, for who scales
                                          it, adds up moments, and writes E
    stream_shift : Out(signed)            what it is shifted by, held
    carry_room : In(1), carry_done : In(1)              a pair may begin, which comes `CARRY_CYCLES`
                                          later; all lines are where they belong
    ended : Out(1)       a task has ended: all that it makes is where it belongs
    banks, writes : Out(1)     in this cycle lines wait for a turn of a memory; for the stash
    line : Out(1)              a line is done
    fault : Out(Fault)         for a cycle: ADDRESS beyond an on-chip memory, or a line that is not
                               the first of its pair; COUNT for an APPLY whose pixels' numbers do
                               not follow each other. The path then stops until reset.
    busy : Out(1)

    Timing: a line a cycle, 32 in 35 of an APPLY, with y and a shortcut every other; a block passes
    as often as its digits need (`digit_sets`). A task takes `overhead_cycles` beside its lines. The
    path stops between blocks for memory, never in one.
    """

    COUNTED = 2 + 5 + 2 + 4
    """Cycles of a task to its start, of a step to the reader, of a row into the turn, until all is
    quiet."""
    OUTPUTS = ("staging_writes", "side_writes", "plane_write", "blocks", "peaks")
    CARRY_CYCLES = 1 + LineReader.PAIR_CYCLES
    """From the cycle in which ``carry_room`` counted to the first of the pair's two lines, which
    come one behind the other."""

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters, self.primitives = parameters, primitives
        words = vector_of(parameters).parameter_words
        self.reader = LineReader(parameters, primitives=primitives)
        self.table = ChannelTable(parameters)
        self.lanes = LineLanes(parameters, primitives=primitives)
        self.bytes = ByteQueue(parameters)
        self.walker = LineWalker(parameters)
        self.results = LineResults(parameters, primitives=primitives)
        reader, results, bytes_ = (
            each.signature.members for each in (self.reader, self.results, self.bytes)
        )
        super().__init__(
            {
                "tasks": In(stream.Signature(line_task())),
                "seed": In(SEED_BITS),
                "step": In(STEP_BITS),
                **{name: reader[name] for name in ("staging_reads", "side_reads")},
                **{name: reader[name] for name in ("staging", "side")},
                **{name: results[name] for name in self.OUTPUTS},
                "record_reads": Out(stream.Signature(range(words))),
                "answer": In(1),
                "record": In(RECORD_BITS),
                "key": Out(2 * WORD_BITS),
                "load": Out(1),
                "key_ready": In(1),
                **{name: bytes_[name] for name in ("counters", "random_valid", "random")},
                "settled": In(1),
                "carried": Out(carried_line(parameters)),
                "carries": Out(1),
                "stream_shift": Out(signed(SHIFT_BITS)),
                "carry_room": In(1),
                "carry_done": In(1),
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
        self.carry_beyond = Signal()

    @property
    def overhead_cycles(self) -> int:
        """From a task to its end beside its lines, at most, if nothing waits for memory: tables and
        keys, a pair's way with random bytes, the turn, the peak."""
        results, channels = self.results, self.parameters.block.channels
        before = max(results.sender.prepare_cycles, KeySchedule.latency_cycles)
        bytes_ahead = RandomBytes.latency_cycles + 2
        through = bytes_ahead + LineReader.PAIR_CYCLES + LineLanes.form_cycles
        turned = LineLanes.APPLY_ROWS + channels + results.sender.latency_cycles
        return before + through + turned + results.peak.collect_cycles + self.COUNTED

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name in ("reader", "table", "lanes", "bytes", "walker", "results"):
            m.submodules[name] = getattr(self, name)
        for each in (self.reader, self.table, self.lanes, self.results):
            m.d.comb += each.task.eq(self.task)
        self._run(m)
        steps = self._walk(m)
        self._read(m, steps)
        self._connect_lanes(m)
        self._connect_results(m)
        self._carry(m)
        self._report(m)
        return m

    # -- a task -----------------------------------------------------------------------------

    def _run(self, m: Module) -> None:
        task, drained = self.task, Signal(range(self.parameters.block.channels))
        walks, results, report = Signal(), self.results, self.peaks
        settle, drains = Signal(range(4)), Signal()
        m.d.comb += [
            self.walker.start.eq(walks),
            self.walker.shape.eq(task.entry),
            self.walker.sets.eq(self.results.sets),
            self.key.eq(Cat(self.seed, Const(0, 1), task.tensor, self.step)),
            self.load.eq(self.start & task.applies),
            self.bytes.random_valid.eq(self.random_valid),
            self.bytes.random.eq(self.random),
            self.bytes.row_pixels.eq(task.entry.row_pixels),
            self.bytes.part.eq(results.part),
            self.table.start.eq(self.start),
            self.reader.start.eq(self.start),
            results.start.eq(self.start),
            results.drains.eq(drains),
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
                ready = results.prepared & (~task.applies | self.key_ready)
                with m.If(ready & ~self.failed):
                    m.d.comb += walks.eq(1)
                    m.next = "LINES"
            with m.State("LINES"):
                m.d.sync += drained.eq(0)
                with m.If(results.last_line):
                    m.d.sync += drains.eq(1)
                    m.next = "DRAIN"
                with m.If(self.carries & self.carried.last):
                    m.next = "CARRY"
            with m.State("CARRY"):
                with m.If(self.carry_done):
                    m.d.comb += self.ended.eq(1)
                    m.next = "IDLE"
            with m.State("DRAIN"):
                m.d.sync += [drained.eq(drained + 1), settle.eq(0)]
                with m.If(drained == self.parameters.block.channels - 1):
                    m.d.sync += drains.eq(0)
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                # the last row is still to be here; the writer's flag follows two cycles late
                with m.If(~results.empty):
                    m.d.sync += settle.eq(0)
                with m.Elif(settle != 3):
                    m.d.sync += settle.eq(settle + 1)
                quiet = results.empty & (settle == 3) & self.settled
                with m.If(quiet & ~self.failed):
                    m.d.comb += results.collect.eq(task.raises)
                    m.next = "PEAK"
            with m.State("PEAK"):
                with m.If(~task.raises | (report.valid & report.ready)):
                    m.d.comb += self.ended.eq(1)
                    m.next = "IDLE"
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))

    def _walk(self, m: Module) -> Fifo:
        """Steps into their queue; where numbers are rounded at random, with a counter each."""
        m.submodules.steps = steps = Fifo(line_step(self.parameters), STEPS_AHEAD + Fifo.SLACK)
        # a register each way, so that what has room does not reach the walker's counts; pairs begin
        # every other cycle, so a step every other cycle is enough
        walked, offered = self.walker.steps, stream.Signature(line_step(self.parameters)).create()
        m.d.comb += walked.ready.eq(~offered.valid)
        with m.If(walked.valid & walked.ready):
            m.d.sync += [offered.payload.eq(walked.payload), offered.valid.eq(1)]
        with m.Elif(offered.ready):
            m.d.sync += offered.valid.eq(0)
        step = offered.payload
        counter, applies = self.bytes.pairs, self.task.applies
        channels = self.parameters.block.channels
        part, block = self.results.part, step.image_block
        runs = (WORD_PIXELS // self.parameters.array.rows).bit_length() - 1
        connect(m, self.bytes.counters, flipped(self.counters))
        m.d.comb += [
            offered.ready.eq(steps.w_rdy & (~applies | counter.ready)),
            steps.w_en.eq(offered.valid & offered.ready),
            steps.w_data.eq(step.as_value()),
            counter.valid.eq(offered.valid & applies & steps.w_rdy),
            counter.payload.image.eq(self.task.first_image + step.image),
            # a word has the bytes of 2^(runs + part) blocks
            counter.payload.group.eq(block >> runs >> part),
            counter.payload.start.eq(block & ((1 << runs << part) - 1)),
            counter.payload.pair.eq(Cat(step.pair, step.group)),
        ]
        assert channels // 2 == 1 << len(step.pair)
        return steps

    def _read(self, m: Module, steps: Fifo) -> None:
        reader, step, task = self.reader, steps.head, self.task
        results = self.results
        for name in ("staging_reads", "side_reads"):
            connect(m, getattr(reader, name), flipped(getattr(self, name)))
        reserved = Signal(range(STASH_WORDS + 1))
        begins_block = step.pair == 0
        words = results.words[step.set]
        room = ~begins_block | (reserved + words <= STASH_WORDS)
        ends_image = begins_block & step.last_pass & step.last_x & step.last_y
        pools = ends_image & task.pooled
        there = Mux(step.group[0], self.table.there[1], self.table.there[0])
        taken = reader.steps.valid & reader.steps.ready
        go = Signal()
        m.d.comb += [
            reader.staging.eq(self.staging),
            reader.side.eq(self.side),
            reader.steps.valid.eq(steps.r_rdy & ~self.failed),
            reader.steps.payload.eq(step),
            steps.r_en.eq(taken),
            reader.go.eq(go),
            self.bytes.claim.eq(taken & task.applies),
            results.claim_lines.eq(taken & task.writes_staging),
            results.claim_pool.eq(taken & pools),
            self.writes.eq(steps.r_rdy & ~room),
            self.banks.eq(reader.banks),
            results.steps.valid.eq(taken),
            results.steps.payload.eq(step),
        ]
        # of the cycle before: only a step that begins takes room away, and two never follow each
        # other without a cycle between them
        m.d.sync += go.eq(
            there
            & room
            & results.steps.ready
            & (~task.applies | self.bytes.there)
            & (~task.writes_staging | results.lines_room)
            & (~pools | results.pool_room)
            & (~task.carries | self.carry_room)
        )
        m.d.sync += reserved.eq(reserved + Mux(taken & begins_block, words, 0) - results.gone)

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
            lanes.beat.valid.eq(reader.beat.valid & ~self.task.carries),
            lanes.numbers.eq(reader.numbers),
            lanes.side_numbers.eq(reader.side_numbers),
            lanes.bytes.eq(bytes_.bytes),
            bytes_.take.eq(lanes.take),
        ]

    def _connect_results(self, m: Module) -> None:
        lanes, results = self.lanes, self.results
        for name in lane_results(self.parameters):
            m.d.comb += getattr(results, name).eq(getattr(lanes, name))
        for name in self.OUTPUTS:
            if name != "plane_write":
                connect(m, getattr(results, name), flipped(getattr(self, name)))
        m.d.comb += [
            self.plane_write.eq(results.plane_write),
            self.line.eq(results.done | self.carries),
        ]

    def _carry(self, m: Module) -> None:
        """A line as the reader shows it."""
        step = self.results.step
        carried, reader, task = self.carried, self.reader, self.task
        beat, number = reader.beat, pair_number(self.parameters, step)
        target = Cat(beat.channel[0], (task.destination >> 1) + number)
        known = reader.mask | (~task.masked).replicate(len(reader.mask))
        words = vector_of(self.parameters).staging_words
        exists = number < pairs_left(m, task.destination, words, "carried")
        valid = beat.valid & task.carries
        m.d.sync += self.carry_beyond.eq(self.carry_beyond | (valid & ~exists))
        m.d.comb += [
            self.results.drop.eq(valid & beat.channel[0]),
            self.carries.eq(valid & exists),
            self.stream_shift.eq(self.table.stream_shift),
            carried.target.eq(target),
            carried.channel.eq(Cat(beat.channel, step.group)),
            carried.count.eq(self.results.inside & known),
            *(
                carried.numbers[pixel].eq(
                    Mux(task.spreads, reader.value, reader.numbers[pixel].as_signed())
                )
                for pixel in range(self.parameters.array.rows)
            ),
            carried.normalized.eq(reader.side_numbers),
            carried.last.eq(step.ends & beat.channel[0]),
        ]

    # -- faults -----------------------------------------------------------------------------

    def _report(self, m: Module) -> None:
        # the edges are those of the task two cycles after it is held
        known = delayed(m, self.start, 2, name="known", reset_less=False)
        parts = (self.reader, self.table, self.results)
        beyond = Cat(each.beyond for each in parts).any() | self.carry_beyond
        unordered = known & self.task.applies & ~self.results.contiguous
        with m.If(~self.failed & (beyond | unordered)):
            m.d.sync += [self.failed.eq(1), self.fault.eq(Mux(beyond, Fault.ADDRESS, Fault.COUNT))]
        with m.Else():
            m.d.sync += self.fault.eq(Fault.NONE)
