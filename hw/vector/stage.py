"""The vector stage: its commands, one after the other, each by the unit that carries it out."""

import enum
from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from fractrain.hw.contract.commands import ACKNOWLEDGED, SIGNAL, Fault, Opcode, Stage, Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import write_block
from fractrain.hw.flow.tasks import INDEX_BITS, command_view, stage_task
from fractrain.hw.vector.channel import ChannelWalk
from fractrain.hw.vector.line_commands import LineCommands
from fractrain.hw.vector.memory_commands import MemoryCommands
from fractrain.hw.vector.peaks import peak_value
from fractrain.hw.vector.random_bytes import RandomBytes
from fractrain.hw.vector.write_behind import WriteBehind

__all__ = ["VectorStage"]

SIGNALS = len(SIGNAL[Stage.VECTOR])
SETTLE_CYCLES = 3
"""From the last block of a CHANNEL until it may end."""


class Unit(enum.Enum):
    """Who carries a command out."""

    LINES = 0
    CHANNEL = enum.auto()
    SPILL = enum.auto()
    REPORT = enum.auto()
    QUANTIZE = enum.auto()
    UPDATE = enum.auto()


ON_MEMORY = (Unit.SPILL, Unit.REPORT, Unit.QUANTIZE, Unit.UPDATE)


class VectorStage(wiring.Component):
    """Takes the tasks of the vector stage, one at a time.

    ::

        tasks → ┬ LineCommands   SHAPE, NORMALIZE, FORM, RECOMPUTE, CARRY, APPLY ┐
                ├ ChannelWalk    CHANNEL                                         ├ WriteBehind →
                └ MemoryCommands SPILL, REPORT, QUANTIZE, UPDATE                 ┘

    Members
    -------
    tasks : In(stream of `stage_task`)
    seed, step : In            of the random bits
    staging_reads, staging_answer, staging, staging_writes; side_reads, side, side_writes
                               a client of two `LineMemory`, as of `LinePath`
    record_reads, record_answer, record, of lines, CHANNEL and memory commands; record_writes of
    CHANNEL                    of the `ParameterMemory`
    moment_lines, moments_busy, moment_reads, moment_answer, moments        of the `MomentUnit`
    peaks, peak_reads, peak_answer, peak      of the `PeakMemory`
    beat_reads, beat_answer, beat             gradient memory, as `GradientRows` has them
    plane_write : Out(`plane_write`)          has its turn always
    requests, words                           a client of the reader
    blocks : Out(stream of `write_block`); block_index, block_tag : Out      a client of the
                               writer; the command that made the block
    writer_idle : In(1)        memory has acknowledged all of them; low from the second cycle on
                               after one was taken
    settled : Out(1)           memory has acknowledged all that commands have made
    ended : Out(1), signal : Out(4)     a task has ended, and the tokens that it gives
    fault, index : Out         for a cycle; and the command at work
    halt : In(1)               offer no more blocks, until reset
    idle : Out(1)              no task is here
    tag : Out(Tag)             of the command at work
    line, banks, writes : Out(1)    in the cycle before a line was done; lines waited for a turn of
                               a memory, for room for the stash
    channel, reads : Out(1)    it is a CHANNEL; it waits for words

    Timing: `OWN_CYCLES` a task beside those of its unit. A task ends when all that it makes is on
    chip or in `WriteBehind`. One that gives a token to those in `ACKNOWLEDGED`, and an UPDATE, end
    when memory has acknowledged what they and those before them wrote. A fault waits for that, too.
    """

    OF_BLOCKS = ("block_index", "block_tag", "settled")
    """Members of `WriteBehind`."""
    OWN_CYCLES = 5
    RECORD_USERS = 3
    """Lines, CHANNEL, commands on memory."""

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters = parameters
        self.lines = LineCommands(parameters, primitives=primitives)
        self.walk = ChannelWalk(parameters, primitives=primitives)
        self.memory = MemoryCommands(parameters, primitives=primitives)
        self.behind = WriteBehind(parameters)
        lines, walk, memory = (
            each.signature.members for each in (self.lines, self.walk, self.memory)
        )
        reads = lines["record_reads"]
        super().__init__(
            {
                "tasks": In(stream.Signature(stage_task(parameters))),
                **{name: lines[name] for name in ("seed", "step", "staging_reads", "staging")},
                "staging_answer": In(1),
                **{name: lines[name] for name in ("staging_writes", "side_reads", "side")},
                **{name: lines[name] for name in ("side_writes", "plane_write")},
                "record_reads": reads.array(self.RECORD_USERS),
                "record_answer": In(self.RECORD_USERS),
                "record": lines["record"],
                "record_writes": walk["record_writes"],
                **{name: lines[name] for name in ("moment_lines", "moments_busy")},
                **{name: walk[name] for name in ("moment_reads", "moment_answer", "moments")},
                "peaks": Out(stream.Signature(peak_value(parameters))),
                **{name: memory[name] for name in ("peak_reads", "peak_answer", "peak")},
                **{name: memory[name] for name in ("beat_reads", "beat_answer", "beat")},
                **{name: memory[name] for name in ("requests", "words")},
                "blocks": Out(stream.Signature(write_block(parameters.block_bits))),
                "block_index": Out(INDEX_BITS),
                "block_tag": Out(Tag),
                "writer_idle": In(1),
                "settled": Out(1),
                "ended": Out(1),
                "signal": Out(SIGNALS),
                "fault": Out(Fault),
                "index": Out(INDEX_BITS),
                "halt": In(1),
                "idle": Out(1),
                "tag": Out(Tag),
                **dict.fromkeys(("line", "channel", "banks", "writes", "reads"), Out(1)),
            }
        )
        self.task = Signal(stage_task(parameters), reset_less=True)
        self.unit = Signal(Unit)
        self.begins = Signal()
        """The task is on offer to its unit."""
        self.at_work = Signal()
        self.may_end = Signal()
        """The task may, with all its blocks taken."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.lines, m.submodules.walk = self.lines, self.walk
        m.submodules.memory, m.submodules.behind = self.memory, self.behind
        m.submodules.random = RandomBytes()
        self._sequence(m)
        self._connect_lines(m)
        self._connect_channel(m)
        self._connect_memory(m)
        self._connect_random(m, m.submodules.random)
        self._share_lines(m)
        self._share_blocks(m)
        self._report(m)
        return m

    # -- a task --------------------------------------------------------------------------------

    def _is(self, *units: Unit) -> Value:
        return Cat(self.unit == each for each in units).any()

    def _sequence(self, m: Module) -> None:
        header = command_view(Opcode.END, self.task.command)
        taken, settling = Signal(), Signal(range(SETTLE_CYCLES + 1))
        awaited = Signal()
        given = Array(each.ready for each in self._entries())[self.unit]
        # a cycle later: the ends of the units are far from here
        ended = Signal()
        m.d.sync += ended.eq(self._ended())
        m.d.comb += [
            self.signal.eq(header.signal),
            self.tag.eq(header.tag),
            self.may_end.eq(~awaited | self.behind.settled),
        ]
        with m.FSM(name="state") as fsm:
            with m.State("IDLE"):
                m.d.comb += self.tasks.ready.eq(1)
                m.d.sync += self.task.eq(self.tasks.payload)
                with m.If(self.tasks.valid):
                    m.next = "LOOK"
            with m.State("LOOK"):
                m.d.sync += [
                    self.unit.eq(self._unit_of(header.opcode)),
                    settling.eq(0),
                    awaited.eq(self._awaits_memory(header)),
                ]
                m.next = "OFFER"
                with m.If(self.task.skip):
                    m.next = "SKIP"
            with m.State("SKIP"):
                with m.If(self.may_end & ~self.halt):
                    m.next = "END"
            with m.State("OFFER"):
                m.d.comb += [self.begins.eq(1), taken.eq(given)]
                with m.If(taken):
                    m.next = "WORK"
            with m.State("WORK"):
                m.d.comb += self.at_work.eq(1)
                with m.If(ended):
                    m.next = "END"
                    with m.If(self._is(Unit.CHANNEL)):
                        m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.comb += self.at_work.eq(1)
                with m.If(settling != SETTLE_CYCLES):
                    m.d.sync += settling.eq(settling + 1)
                with m.Elif(self.may_end & ~self.halt):
                    m.next = "END"
            with m.State("END"):
                m.d.comb += self.ended.eq(1)
                m.next = "IDLE"
            m.d.comb += self.idle.eq(fsm.ongoing("IDLE") & ~self.tasks.valid)

    @staticmethod
    def _awaits_memory(header: data.View) -> Value:
        """As the contract's function of that name."""
        tokens = [n for n, stage in enumerate(SIGNAL[Stage.VECTOR]) if stage in ACKNOWLEDGED]
        given = Cat(header.signal[each] for each in tokens).any()
        return given | (header.opcode == Opcode.UPDATE)

    @staticmethod
    def _unit_of(opcode: Value) -> Value:
        """All others are lines."""
        unit: Value = Value.cast(Unit.LINES)
        for each in Unit:
            if each is not Unit.LINES:
                unit = Mux(opcode == Opcode[each.name], each, unit)
        return unit

    def _entries(self) -> list[Any]:
        """Where each unit takes its tasks, in the order of `Unit`."""
        on_memory = (getattr(self.memory, each.name.lower()) for each in ON_MEMORY)
        return [self.lines.commands, self.walk.tasks, *on_memory]

    def _ended(self) -> Value:
        ends = (self.lines.ended, self.walk.ended, self.memory.ended)
        return Cat(ends).any()

    # -- the units -----------------------------------------------------------------------------

    def _connect_lines(self, m: Module) -> None:
        lines, task, found = self.lines, self.task, self.lines.commands.payload
        for name in ("side_reads", "side_writes", "moment_lines"):
            connect(m, getattr(lines, name), flipped(getattr(self, name)))
        connect(m, lines.record_reads, flipped(self.record_reads[0]))
        m.d.comb += [
            lines.commands.valid.eq(self.begins & self._is(Unit.LINES)),
            found.command.eq(task.command),
            found.bits.eq(task.digits),
            *(found[name].eq(task[name]) for name in ("kept_bits", "form_bits", "masked")),
            *(getattr(lines, each).eq(getattr(self, each)) for each in ("seed", "step", "side")),
            lines.staging.eq(self.staging),
            lines.answer.eq(self.record_answer[0]),
            lines.record.eq(self.record),
            lines.moments_busy.eq(self.moments_busy),
            lines.settled.eq(self.may_end),
            self.plane_write.eq(lines.plane_write),
        ]

    def _connect_channel(self, m: Module) -> None:
        walk, to = self.walk, self.walk.tasks.payload
        channel = command_view(Opcode.CHANNEL, self.task.command)
        for name in ("moment_reads", "record_writes"):
            connect(m, getattr(walk, name), flipped(getattr(self, name)))
        connect(m, walk.record_reads, flipped(self.record_reads[1]))
        own = {"index": self.task.index, "bits": self.task.kept_bits}
        m.d.comb += [
            walk.tasks.valid.eq(self.begins & self._is(Unit.CHANNEL)),
            *(
                to[name].eq(own[name] if name in own else channel[name])
                for name in to.shape().members
            ),
            walk.record_answer.eq(self.record_answer[1]),
            walk.record.eq(self.record),
            walk.moment_answer.eq(self.moment_answer),
            walk.moments.eq(self.moments),
            walk.halt.eq(self.halt),
        ]

    def _connect_memory(self, m: Module) -> None:
        memory, task = self.memory, self.task
        own = {
            "index": task.index,
            "bits": task.digits,
            "absent": (task.digits == 0) | (task.partner_digits == 0),
        }
        for unit in ON_MEMORY:
            entry = getattr(memory, unit.name.lower())
            command, to = command_view(Opcode[unit.name], task.command), entry.payload
            m.d.comb += entry.valid.eq(self.begins & self._is(unit))
            for name in to.shape().members:
                m.d.comb += to[name].eq(own[name] if name in own else command[name])
        for name in ("requests", "peak_reads", "beat_reads"):
            connect(m, getattr(memory, name), flipped(getattr(self, name)))
        connect(m, flipped(self.words), memory.words)
        reads = self.record_reads[2]
        passed = ("seed", "step", "peak_answer", "peak", "beat_answer", "beat", "record")
        m.d.comb += [
            *(getattr(memory, name).eq(getattr(self, name)) for name in passed),
            # known to be in the memory
            reads.payload.eq(memory.record_reads.payload),
            reads.valid.eq(memory.record_reads.valid),
            memory.record_reads.ready.eq(reads.ready),
            memory.record_answer.eq(self.record_answer[2]),
            memory.settled.eq(self.may_end),
        ]

    def _connect_random(self, m: Module, random: RandomBytes) -> None:
        """One generator: it has the key of the unit that is at work."""
        lines, memory, updates = self.lines, self.memory, self._is(Unit.UPDATE)
        counters = random.counters
        m.d.comb += [
            random.key.eq(Mux(updates, memory.key, lines.key)),
            random.load.eq(memory.load | lines.load),
            counters.valid.eq(Mux(updates, memory.counters.valid, lines.counters.valid)),
            counters.payload.eq(Mux(updates, memory.counters.payload, lines.counters.payload)),
            lines.key_ready.eq(random.ready),
        ]
        for user, mine in ((lines, ~updates), (memory, updates)):
            m.d.comb += [
                user.counters.ready.eq(counters.ready & mine),
                user.random_valid.eq(random.valid & mine),
                user.random.eq(random.random),
            ]

    # -- what they share -----------------------------------------------------------------------

    def _share_lines(self, m: Module) -> None:
        """Staging and peak memory: only one has anything."""
        lines, memory, spills = self.lines, self.memory, self._is(Unit.SPILL)
        connect(m, lines.staging_writes, flipped(self.staging_writes))
        reads = self.staging_reads
        m.d.comb += [
            reads.valid.eq(Mux(spills, memory.reads.valid, lines.staging_reads.valid)),
            reads.payload.eq(Mux(spills, memory.reads.payload, lines.staging_reads.payload)),
            lines.staging_reads.ready.eq(reads.ready & ~spills),
            memory.reads.ready.eq(reads.ready & spills),
            memory.answer.eq(self.staging_answer & spills),
            memory.pair.eq(self.staging),
        ]
        updates, peaks = self._is(Unit.UPDATE), self.peaks
        m.d.comb += [
            peaks.valid.eq(Mux(updates, memory.peaks.valid, lines.peaks.valid)),
            peaks.payload.eq(Mux(updates, memory.peaks.payload, lines.peaks.payload)),
            lines.peaks.ready.eq(peaks.ready & ~updates),
            memory.peaks.ready.eq(peaks.ready & updates),
        ]

    def _share_blocks(self, m: Module) -> None:
        """Those of the unit at work."""
        sources = (
            (self.lines.blocks, self._is(Unit.LINES)),
            (self.walk.blocks, self._is(Unit.CHANNEL)),
            (self.memory.blocks, self._is(*ON_MEMORY)),
        )
        behind = self.behind
        payload: Value = Value.cast(0)
        valid: Value = Value.cast(0)
        for blocks, mine in sources:
            word = blocks.payload.as_value()
            payload = payload | (word & mine.replicate(len(word)))
            valid = valid | (blocks.valid & mine)
            m.d.comb += blocks.ready.eq(behind.i.ready & mine)
        connect(m, behind.blocks, flipped(self.blocks))
        m.d.comb += [
            behind.i.valid.eq(valid),
            behind.i.payload.as_value().eq(payload),
            behind.index.eq(self.task.index),
            behind.tag.eq(self.tag),
            behind.writer_idle.eq(self.writer_idle),
            behind.halt.eq(self.halt),
            *(getattr(self, name).eq(getattr(behind, name)) for name in self.OF_BLOCKS),
        ]

    def _report(self, m: Module) -> None:
        lines, memory = self.lines, self.memory
        reading = self.at_work & self._is(Unit.QUANTIZE, Unit.UPDATE)
        given = Value.cast(lines.fault) | Value.cast(self.walk.fault) | Value.cast(memory.fault)
        faults, found, reported = Signal(len(given)), Signal(len(given)), Signal()
        m.d.sync += faults.eq(given)
        with m.If(faults.any()):
            m.d.sync += found.eq(faults)
        reports = found.any() & self.behind.settled & ~reported
        m.d.sync += [
            reported.eq(reported | reports),
            self.line.eq(lines.line | memory.line),
            self.banks.eq(lines.banks),
            self.writes.eq(lines.writes),
        ]
        m.d.comb += [
            Value.cast(self.fault).eq(Mux(reports, found, 0)),
            self.index.eq(self.task.index),
            self.channel.eq(self.at_work & self._is(Unit.CHANNEL)),
            self.reads.eq(reading & ~self.words.valid),
        ]
