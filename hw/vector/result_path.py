"""NARROW and JOIN: from tiles of sums to lines in the staging memory, moments and peaks."""

import enum

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import RECORD_BITS
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import port_beat
from fractrain.hw.flow.pair_mux import pair_mux
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.flow.tasks import INDEX_BITS
from fractrain.hw.flow.unit_layouts import side_line
from fractrain.hw.memory.line_memory import line_pair, line_write, pair_count
from fractrain.hw.vector.memories import vector_parameters
from fractrain.hw.vector.moments import moment_line
from fractrain.hw.vector.peak import Peak
from fractrain.hw.vector.peaks import peak_value
from fractrain.hw.vector.result_issue import MOST_LINES, ResultIssue, beyond_memory
from fractrain.hw.vector.result_lanes import ResultLanes, result_line
from fractrain.hw.vector.result_layouts import result_step, result_task
from fractrain.hw.vector.result_places import ResultPlaces
from fractrain.hw.vector.result_scale import ResultScale
from fractrain.hw.vector.result_walk import ResultWalk

__all__ = ["ResultPath"]


class State(enum.Enum):
    """Of the command at work."""

    IDLE = 0
    ASK = enum.auto()
    """For its scale record."""
    WAIT = enum.auto()
    PREPARE = enum.auto()
    RUN = enum.auto()
    COLLECT = enum.auto()
    RAISE = enum.auto()
    END = enum.auto()
    """Moments are on their way into their memory."""


class ResultPath(wiring.Component):
    """Carries out NARROW and JOIN: `hw.contract.commands.vector_results` has what they do.

    ::

        beats ──────────────┐
        tasks → walk → places → lanes ─┬→ queue → staging memory
                  memories' lines ─┘   ├→ moments
                                       └→ peak

    Members
    -------
    tasks : In(stream of `result_task`)     commands that are carried out, in order. Those that are
                              skipped do not come here
    beats : In(stream of `port_beat`)     the sums of their tiles, one tile after the other
    record_reads : Out(stream of an address)      of the parameter memory
    record_answer : In(1), record : In(128)       what was read, any number of cycles later
    staging_reads, side_reads : Out(stream of a pair's address); staging_answer, staging,
    side_answer, side : In    as client of a `LineMemory`
    staging_writes : Out(stream of `line_write`)
    moments_valid : Out(1), moments : Out(`moment_line`), moments_busy : In(1)    as the first user
                              of a `MomentUnit`
    peaks : Out(stream of `peak_value`)   as the first user of a `PeakMemory`
    ended : Out(1)            a command has ended: its last line is in the staging memory, and its
                              moments and its peak stand. In the order of ``tasks``
    fault, index : Out        `Fault.ADDRESS` for a cycle, and the command that named a line, a
                              record, moments or a peak beyond their memory, or a part that does
                              not begin with an even line. The path then stops until reset
    halt : In(1)              ask for nothing and write nothing more, until reset
    idle : Out(1)             no task is here

    Timing: a line a cycle, P pixels of one channel, so a tile takes C cycles, as in FORM and APPLY;
    what was earlier takes a cycle more a line, and a line of an interleaved tile is two or four.
    Between the last line of a command and the first of the next pass `between_cycles` at most, if
    memories answer at once: what is under way leaves, and the lanes' peaks are compared.

    In the result stage. It is to stand behind `ResultStage`'s port, which it stalls; nothing in
    front of it changes. A NARROW or JOIN that is not skipped is for the stage a STORE with the
    format PORT, with the same tiles and without ``add`` and ``keep``: tiles are admitted as ever,
    with room for ``queues.result_tiles`` of them in the queue, of which each is free when its last
    beat was taken here. What a STORE sends to the port then leaves by another way out, so the
    stage tells the beats of both apart (a flag of `beat_facts`). Its end is an item of
    `BlockSender` with a flag that it is such a command's; the sender lets it leave only when
    ``ended`` has come once more than such items have left. So tokens leave in the order of the
    commands, those of STOREs among them. `ResultStage.idle` then includes ``idle``.

    JOIN: what was earlier is in other lines than those that are written; a stream may be in the
    same. Images of an interleaved tensor have lines of their own. A mantissa has its top bit set,
    or shifts by -7 or more.
    """

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters, self.primitives = parameters, primitives
        self.sizes = sizes = vector_parameters(parameters)
        pixels = parameters.array.rows
        self.line_bits, self.side_bits = numerics.NARROW_BITS * pixels, side_line(parameters).size
        self.walk, self.places = ResultWalk(parameters), ResultPlaces(parameters)
        self.issue = ResultIssue(parameters)
        self.lanes = ResultLanes(parameters, primitives=primitives)
        self.peak = Peak(pixels, numerics.CONVOLVED_BITS, primitives=primitives)
        super().__init__(
            {
                "tasks": In(stream.Signature(result_task())),
                "beats": In(stream.Signature(port_beat(parameters.array))),
                "record_reads": Out(stream.Signature(range(sizes.parameter_words))),
                "record_answer": In(1),
                "record": In(RECORD_BITS),
                "staging_reads": Out(stream.Signature(range(pair_count(sizes.staging_words)))),
                "staging_answer": In(1),
                "staging": In(line_pair(self.line_bits)),
                "side_reads": Out(stream.Signature(range(pair_count(sizes.side_words)))),
                "side_answer": In(1),
                "side": In(line_pair(self.side_bits)),
                "staging_writes": Out(
                    stream.Signature(line_write(sizes.staging_words, self.line_bits))
                ),
                "moments_valid": Out(1),
                "moments": Out(moment_line(parameters)),
                "moments_busy": In(1),
                "peaks": Out(stream.Signature(peak_value(parameters))),
                "ended": Out(1),
                "fault": Out(Fault),
                "index": Out(INDEX_BITS),
                "halt": In(1),
                "idle": Out(1),
            }
        )
        self.task = Signal(result_task(), reset_less=True)
        self.state = Signal(State)
        self.failed, self.finished = Signal(), Signal()
        self.beyond = Signal()
        """Its record, its moments or its peak is beyond the memory."""

    @property
    def between_cycles(self) -> int:
        """Way to the memory, peak and moments, the scale record, way to the first step."""
        queue, states = 3, len(State)
        way = StreamRegister.latency_cycles + max(self.lanes.result_cycles) + queue
        return way + self.peak.collect_cycles + states + self.walk.PREPARE_CYCLES + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.walk, m.submodules.places = self.walk, self.places
        m.submodules.issue, m.submodules.lanes = self.issue, self.lanes
        m.submodules.peak = self.peak
        m.submodules.scale = scale = ResultScale()
        wiring.connect(m, self.walk.steps, self.places.walk)
        self._found(m)
        for each in (self.walk, self.places, self.lanes):
            m.d.comb += each.task.eq(self.task)
        m.d.comb += self.lanes.scale.eq(scale.scale)
        self._control(m, scale)
        self._step(m)
        self._write(m)
        self._conclude(m)
        self._refuse(m)
        return m

    # -- the command ---------------------------------------------------------------------------

    def _control(self, m: Module, scale: ResultScale) -> None:
        state, stopped = self.state, self.halt | self.failed
        record = Signal(RECORD_BITS, reset_less=True)
        prepared = Signal(range(self.walk.PREPARE_CYCLES + 1))
        m.d.comb += [
            self.tasks.ready.eq((state == State.IDLE) & ~self.failed),
            self.idle.eq((state == State.IDLE) & ~self.tasks.valid),
            self.record_reads.valid.eq((state == State.ASK) & ~stopped & ~self.beyond),
            self.record_reads.payload.eq(self.task.scale),
            scale.record.eq(record),
            scale.joins.eq(self.task.joins),
            scale.earlier.eq(self.task.earlier),
            self.walk.start.eq((state == State.PREPARE) & (prepared == self.walk.PREPARE_CYCLES)),
        ]
        with m.If(self.record_answer):
            m.d.sync += record.eq(self.record)
        with m.Switch(state):
            with m.Case(State.IDLE):
                with m.If(self.tasks.valid & self.tasks.ready):
                    m.d.sync += [self.task.eq(self.tasks.payload), state.eq(State.ASK)]
            with m.Case(State.ASK):
                m.d.sync += prepared.eq(0)
                with m.If(self.record_reads.valid & self.record_reads.ready):
                    m.d.sync += state.eq(State.WAIT)
            with m.Case(State.WAIT):
                with m.If(self.record_answer):
                    m.d.sync += state.eq(State.PREPARE)
            with m.Case(State.PREPARE):
                m.d.sync += prepared.eq(prepared + 1)
                with m.If(self.walk.start):
                    m.d.sync += state.eq(State.RUN)
            with m.Case(State.RUN):
                with m.If(self.finished & (self.issue.under_way == 0)):
                    m.d.sync += state.eq(Mux(self.task.part, State.END, State.COLLECT))
            with m.Case(State.COLLECT):
                m.d.sync += state.eq(State.RAISE)
            with m.Case(State.RAISE):
                with m.If(self.peaks.valid & self.peaks.ready):
                    m.d.sync += state.eq(State.END)
            with m.Case(State.END):
                with m.If(self.ended):
                    m.d.sync += state.eq(State.IDLE)

    def _conclude(self, m: Module) -> None:
        peak, state = self.peak, self.state
        # a cycle later; its last line came some cycles before END
        busy = Signal()
        m.d.sync += busy.eq(self.moments_busy)
        m.d.comb += [
            peak.numbers.eq(self.lanes.magnitudes),
            peak.take.eq(self.lanes.take),
            peak.clear.eq(self.walk.start),
            peak.collect.eq(state == State.COLLECT),
            self.peaks.valid.eq((state == State.RAISE) & peak.done),
            self.peaks.payload.address.eq(self.task.peak),
            self.peaks.payload.value.eq(peak.greatest),
            self.moments_valid.eq(self.lanes.moments_valid),
            self.moments.eq(self.lanes.moments),
            self.ended.eq((state == State.END) & ~busy),
        ]
        with m.If(self.walk.start):
            m.d.sync += self.finished.eq(0)
        with m.Elif(self.issue.fires & self.issue.steps.payload.ends):
            m.d.sync += self.finished.eq(1)

    # -- steps ---------------------------------------------------------------------------------

    def _found(self, m: Module) -> None:
        """Whether a step is beyond a memory is known before it is on offer; and from a grant to the
        walk's counts it would be too far. A step comes here when there is room for its result, and
        a register says of the step on offer whether it is the last one of its beat: so beats leave
        the result stage without a look at what is here."""
        m.submodules.found = found = StreamRegister(result_step(self.parameters))
        given, to, issue = self.places.steps, found.i.payload, self.issue
        enters = Signal()
        names = given.payload.shape().members
        m.d.comb += [
            *(to[name].eq(given.payload[name]) for name in names if name != "beyond"),
            to.beyond.eq(beyond_memory(self.parameters, self.task, given.payload)),
            found.i.valid.eq(given.valid & issue.room),
            given.ready.eq(found.i.ready & issue.room),
            enters.eq(found.i.valid & found.i.ready),
            issue.enters.eq(enters & given.payload.complete),
        ]
        with m.If(found.o.ready | ~found.o.valid):
            ends = enters & given.payload.beat_ends
            m.d.sync += issue.ends_beat.eq(Mux(found.spare_held, found.spare.beat_ends, ends))
        wiring.connect(m, found.o, issue.steps)

    def _step(self, m: Module) -> None:
        issue, lanes = self.issue, self.lanes
        wiring.connect(m, issue.staging_reads, wiring.flipped(self.staging_reads))
        wiring.connect(m, issue.side_reads, wiring.flipped(self.side_reads))
        m.d.comb += [
            issue.beat.eq(self.beats.valid),
            self.beats.ready.eq(issue.taken),
            issue.stop.eq(self.halt | self.failed),
            lanes.valid.eq(issue.fires),
            lanes.step.eq(issue.steps.payload),
            lanes.beat.eq(self.beats.payload.data),
            lanes.staging_answer.eq(self.staging_answer),
            lanes.staging.eq(self.staging),
            lanes.side_answer.eq(self.side_answer),
            lanes.side.eq(self.side),
        ]

    def _write(self, m: Module) -> None:
        """A queue, as lanes do not wait; a line that is not written leaves it, too."""
        m.submodules.queue = queue = Fifo(result_line(self.parameters), MOST_LINES + Fifo.SLACK)
        result, writes = queue.head, self.staging_writes
        odd = result.target[0]
        rest = data.ArrayLayout(signed(numerics.NARROW_BITS), self.parameters.array.rows)
        second = Signal(rest)
        m.d.comb += [
            queue.w_data.eq(self.lanes.result),
            queue.w_en.eq(self.lanes.complete),
            queue.r_en.eq(writes.ready | (queue.r_rdy & ~result.writes)),
            writes.valid.eq(queue.r_rdy & result.writes & ~self.halt),
            writes.payload.address.eq(result.target >> 1),
            writes.payload.enable.eq(Cat(~odd, odd) | self.task.part.replicate(2)),
            writes.payload.data[0].eq(result.line),
            writes.payload.data[1].eq(
                pair_mux(
                    m,
                    self.task.part,
                    second.as_value(),
                    result.line.as_value(),
                    name="second_line",
                    primitives=self.primitives,
                )
            ),
        ]
        for pixel, each in enumerate(result.rest):
            m.d.comb += second[pixel].eq(each.as_signed())
        m.d.comb += self.issue.left.eq(queue.r_rdy & queue.r_en)

    # -- what is refused -----------------------------------------------------------------------

    def _refuse(self, m: Module) -> None:
        sizes, task = self.sizes, self.task
        channels = self.parameters.block.channels
        m.d.comb += self.beyond.eq(
            (task.scale >= sizes.parameter_words)
            | (task.totals & (task.moments > sizes.moment_words - channels))
            | (~task.part & (task.peak >= sizes.peak_words))
        )
        refused = ((self.state == State.ASK) & self.beyond) | self.issue.beyond
        fails = refused & ~self.failed & ~self.halt
        m.d.sync += [
            self.fault.eq(Mux(fails, Fault.ADDRESS, Fault.NONE)),
            self.index.eq(task.index),
            self.failed.eq(self.failed | fails),
        ]
