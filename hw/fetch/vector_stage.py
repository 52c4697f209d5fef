"""The fetch stage of a machine with a vector unit: LOAD, MOVE, SET, FILL and RECALL."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from fractrain.hw.contract.commands import FIELDS, SIGNAL, Fault, Memory, Opcode, Stage, Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.fetch.block_turn import BlockTurn
from fractrain.hw.fetch.kinds import Kind, kind_number, kind_task, kinds_of
from fractrain.hw.fetch.line_writer import LineWriter
from fractrain.hw.fetch.places import COUNTS, LoadPlaces, load_target
from fractrain.hw.fetch.plane_reads import PlaneReads, move_source, move_source_of
from fractrain.hw.fetch.record_writer import RecordWriter
from fractrain.hw.fetch.stage import TASKS_AHEAD
from fractrain.hw.fetch.unit_targets import unit_target, unit_target_of
from fractrain.hw.fetch.vector_requests import VectorRequests
from fractrain.hw.fetch.writer import WordWriter
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import (
    CHIP_ADDRESS_BITS,
    column_write,
    plane_answer,
    plane_write,
    read_request,
)
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.flow.tasks import INDEX_BITS, command_view, stage_task

__all__ = ["VectorFetchStage"]

SIGNALS = len(SIGNAL[Stage.FETCH])


def _header() -> data.StructLayout:
    """What a command keeps until it ends."""
    return data.StructLayout({"index": INDEX_BITS, "signal": SIGNALS, "tag": Tag})


class VectorFetchStage(wiring.Component):
    """Runs the commands of the fetch stage in order, on a machine with a vector unit.

    As `hw.fetch.stage.FetchStage`, two sides run ahead of each other: one requests the words of up
    to `TASKS_AHEAD` tasks, the other puts them in their places as they come, a task at a time. A
    MOVE reads planes when all tasks before it have ended.

    Members as there, but

    tasks : In(stream of `stage_task`)      of all commands of the stage
    signal : Out(3)                         tokens that the task that has ended gives
    words_taken, stash_taken, tag : Out     a word of a LOAD, of a SET, FILL or RECALL has come in

    and

    record_writes : Out(stream of `record_write`)       to the parameter memory
    staging_writes, side_writes : Out(stream of `hw.memory.line_memory.line_write`)
    plane_busy : In(1)      in the next cycle another writes the plane memory: no word for it is
        taken
    plane_reads : Out(stream of an address), plane_answers : In(`plane_answer`)
        a MOVE's reads of the plane memory; see `PlaneReads`

    Timing: for LOAD as there, but that the first request comes `VectorRequests.latency_cycles` and
    one after its task. For the others see `RecordWriter`, `LineWriter`, `BlockTurn`; a MOVE takes
    `PlaneReads.latency_cycles` and those of the plane memory, then a word a cycle, or in two if
    both halves of it are kept.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.entry = StreamRegister(kind_task(parameters))
        self.asking = VectorRequests(parameters)
        self.places, self.writer = LoadPlaces(parameters), WordWriter(parameters)
        self.moves = PlaneReads(parameters)
        self.units: dict[Kind, Any] = {
            Kind.SET: RecordWriter(parameters),
            Kind.FILL: LineWriter(parameters),
            Kind.RECALL: BlockTurn(parameters),
        }
        depth = TASKS_AHEAD + Fifo.SLACK
        kind = range(len(Kind))
        self.turns = Fifo(data.StructLayout({"kind": kind, "skip": 1}), depth)
        self.targets = Fifo(load_target(parameters), depth)
        self.sources = Fifo(move_source(parameters), depth)
        self.unit_targets = Fifo(unit_target(), depth)
        self.headers = Fifo(_header(), depth)
        super().__init__(
            {
                "tasks": In(stream.Signature(stage_task(parameters))),
                "requests": Out(stream.Signature(read_request())),
                "words": In(stream.Signature(8 * parameters.word_bytes)),
                "plane_write": Out(plane_write(parameters)),
                "column_write": Out(column_write(parameters)),
                **{
                    name: Out(stream.Signature(self.units[each].write))
                    for name, each in _WRITES.items()
                },
                "plane_busy": In(1),
                "plane_reads": Out(stream.Signature(CHIP_ADDRESS_BITS)),
                "plane_answers": In(plane_answer(parameters)),
                "ended": Out(1),
                "signal": Out(SIGNALS),
                "words_taken": Out(1),
                "stash_taken": Out(1),
                "tag": Out(Tag),
                "fault": Out(Fault),
                "index": Out(INDEX_BITS),
                "busy": Out(1),
                "halt": In(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name in ("entry", "asking", "places", "writer", "moves"):
            m.submodules[name] = getattr(self, name)
        for name in ("turns", "targets", "sources", "unit_targets", "headers"):
            m.submodules[name] = getattr(self, name)
        for kind, unit in self.units.items():
            m.submodules[kind.name.lower()] = unit
        connect(m, self.asking.requests, flipped(self.requests))
        connect(m, self.targets.r_stream, self.places.targets)
        for name, kind in _WRITES.items():
            connect(m, self.units[kind].writes, flipped(getattr(self, name)))
        parts = (self.asking, self.writer, self.moves, *self.units.values())
        m.d.comb += [part.halt.eq(self.halt) for part in parts]
        m.d.comb += [
            self.plane_write.eq(self.writer.plane_write),
            self.column_write.eq(self.writer.column_write),
        ]
        self._accept(m)
        self._take_turns(m)
        self._move(m)
        self._end(m)
        return m

    def _accept(self, m: Module) -> None:
        """A task goes to the requests, to where its words go and, its header, to where it ends."""
        entry, asking = self.entry, self.asking
        task, kinds = entry.o.payload.task, entry.o.payload.kinds
        header, turn = command_view(Opcode.END, task.command), Signal(self.turns.layout)
        accepted, room = Signal(), Signal()
        m.d.comb += [
            entry.i.payload.task.eq(self.tasks.payload),
            entry.i.payload.kinds.eq(kinds_of(self.tasks.payload)),
            entry.i.valid.eq(self.tasks.valid),
            self.tasks.ready.eq(entry.i.ready),
            # every task that is anywhere has its header in `headers`, so these fill up first
            room.eq(self.headers.w_rdy),
            asking.tasks.payload.eq(entry.o.payload),
            asking.tasks.valid.eq(entry.o.valid & room),
            entry.o.ready.eq(asking.tasks.ready & room),
            accepted.eq(entry.o.valid & entry.o.ready),
            turn.skip.eq(task.skip),
            turn.kind.eq(kind_number(kinds)),
        ]
        kept = Signal(_header())
        m.d.comb += [
            kept.index.eq(task.index),
            kept.signal.eq(header.signal),
            kept.tag.eq(header.tag),
        ]
        moves, loads = kinds[Kind.MOVE.value], kinds[Kind.LOAD.value]
        self._fill(m, self.headers, kept, accepted)
        self._fill(m, self.turns, turn, accepted)
        self._fill(m, self.targets, self._place_target(task, moves), accepted & (loads | moves))
        source, target = Signal(self.sources.layout), Signal(self.unit_targets.layout)
        m.d.comb += [source[name].eq(value) for name, value in move_source_of(task).items()]
        m.d.comb += [
            target[name].eq(value) for name, value in unit_target_of(entry.o.payload).items()
        ]
        self._fill(m, self.sources, source, accepted & moves & ~task.skip)
        self._fill(m, self.unit_targets, target, accepted & ~(loads | moves))

    @staticmethod
    def _fill(m: Module, fifo: Fifo, item: Any, enable: Value) -> None:
        m.d.comb += [fifo.w_data.eq(item), fifo.w_en.eq(enable)]

    def _place_target(self, task: data.View, moves: Value) -> Value:
        """The `load_target` of a LOAD, or of a MOVE, whose words are those of a LOAD to COLUMNS; a
        skipped one has a single word, which does not come."""
        load, move = (command_view(each, task.command) for each in (Opcode.LOAD, Opcode.MOVE))
        parts: list[Value] = []
        for name in load_target(self.parameters).members:
            if name == "memory":
                value: Value = Mux(moves, Memory.COLUMNS, load.memory)
            elif name in FIELDS[Opcode.LOAD]:
                value = Mux(moves, move[name], load[name])
            else:
                value = task[name]
            counted = name in (*COUNTS, "digits")
            parts.append(Mux(task.skip, 1, value)[: len(value)] if counted else value)
        return Cat(parts)

    def _is_turn(self, *kinds: Kind) -> Value:
        turn = self.turns.head
        return self.turns.r_rdy & Cat(turn.kind == kind.value for kind in kinds).any()

    def _take_turns(self, m: Module) -> None:
        """Words of memory, and targets, to whoever has its turn."""
        writer, places, words = self.writer, self.places.places, self.words
        planes, moves = self.moves.words, self._is_turn(Kind.MOVE)
        shared = self._is_turn(Kind.LOAD, Kind.MOVE)
        loads, yields = self._is_turn(Kind.LOAD), Signal()
        m.d.comb += [
            yields.eq(self.plane_busy & ~places.payload.columns),
            writer.places.payload.eq(places.payload),
            writer.places.valid.eq(places.valid & shared),
            places.ready.eq(writer.places.ready & shared),
            writer.words.payload.eq(Mux(moves, planes.payload, words.payload)),
            writer.words.valid.eq(Mux(moves, planes.valid, words.valid & loads & ~yields)),
            planes.ready.eq(writer.words.ready & moves),
        ]
        ready: Value = writer.words.ready & loads & ~yields
        target = self.unit_targets
        ended: Value = Cat(unit.ends for unit in self.units.values()).any()
        for kind, unit in self.units.items():
            turn = self._is_turn(kind)
            m.d.comb += [
                unit.targets.payload.eq(target.head),
                unit.targets.valid.eq(target.r_rdy & turn),
                unit.words.payload.eq(words.payload),
                unit.words.valid.eq(words.valid & turn),
            ]
            ready = ready | (unit.words.ready & turn)
        m.d.comb += [words.ready.eq(ready), target.r_en.eq(ended)]

    def _move(self, m: Module) -> None:
        """A MOVE reads once, when it has its turn."""
        sources, reading = self.moves.sources, Signal()
        m.d.comb += [
            sources.payload.eq(self.sources.r_data),
            sources.valid.eq(
                self.sources.r_rdy & self._is_turn(Kind.MOVE) & ~self.turns.head.skip & ~reading
            ),
            self.sources.r_en.eq(sources.valid & sources.ready),
            self.moves.answers.eq(self.plane_answers),
        ]
        with m.If(self.writer.ends):
            m.d.sync += reading.eq(0)
        with m.Elif(sources.valid & sources.ready):
            m.d.sync += reading.eq(1)
        connect(m, self.moves.reads, flipped(self.plane_reads))

    def _end(self, m: Module) -> None:
        """The oldest header leaves a cycle after its task has ended."""
        header, inside = self.headers.head, self.headers.level != 0
        ends, ending = Signal(), Signal()
        taken, stash_taken = Signal(), Signal()
        units = self.units.values()
        faults = (self.writer, self.moves, *units)
        m.d.comb += [
            ends.eq(self.writer.ends | Cat(unit.ends for unit in units).any()),
            self.turns.r_en.eq(ends),
            self.headers.r_en.eq(ending),
            self.index.eq(header.index),
            self.busy.eq(inside),
            self.idle.eq(~(inside | self.ended | ~self.entry.empty)),
            self.fault.eq(Mux(Cat(each.fault.any() for each in faults).any(), Fault.ADDRESS, 0)),
        ]
        m.d.sync += [
            ending.eq(ends),
            taken.eq(self.writer.taken & self._is_turn(Kind.LOAD)),
            stash_taken.eq(Cat(unit.taken for unit in units).any()),
            self.ended.eq(ending),
            self.signal.eq(header.signal & ending.replicate(SIGNALS)),
            self.words_taken.eq(taken),
            self.stash_taken.eq(stash_taken),
            self.tag.eq(header.tag),
        ]


_WRITES = {"record_writes": Kind.SET, "staging_writes": Kind.FILL, "side_writes": Kind.RECALL}
