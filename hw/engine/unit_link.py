"""What joins a vector unit to the engine."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring

from fractrain.hw.contract.commands import Opcode, Stage, Tag
from fractrain.hw.contract.random_bits import SEED_BITS, STEP_BITS
from fractrain.hw.contract.registers import VECTOR_COUNTERS
from fractrain.hw.control.faults import FaultCollector
from fractrain.hw.control.registers import RegisterFile
from fractrain.hw.control.tokens import TokenNetwork
from fractrain.hw.engine.execute import ExecuteStage
from fractrain.hw.engine.memory_system import VECTOR, MemorySystem
from fractrain.hw.engine.supervisor import Supervisor
from fractrain.hw.fetch.vector_stage import VectorFetchStage
from fractrain.hw.flow.layouts import read_request, write_block
from fractrain.hw.flow.pair_mux import pair_mux
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.flow.tasks import INDEX_BITS, command_view
from fractrain.hw.results.stage import ResultStage
from fractrain.hw.vector.result_layouts import fill_result_task, result_task
from fractrain.hw.vector.unit import VectorUnit

__all__ = ["EngineParts", "UnitLink"]

FIRST_NUMBER = min(each.number for each in VECTOR_COUNTERS)
NUMBERS = {each.name: each.number - FIRST_NUMBER for each in VECTOR_COUNTERS}
WORDS_WAITING = 31
"""Words of the unit that wait to be counted behind those of the fetch stage."""


@dataclass(frozen=True)
class EngineParts:
    """Of an engine, those that its vector unit is joined to."""

    registers: RegisterFile
    memory: MemorySystem
    tokens: TokenNetwork
    fetch: VectorFetchStage
    execute: ExecuteStage
    result: ResultStage
    supervisor: Supervisor
    faults: FaultCollector


class UnitLink:
    """The ways between ``unit`` and the parts of an engine. A register each way where both sides
    have logic of their own, as neither is mapped in sight of the other.

    faults : of NARROW and JOIN, of the vector stage, each with its command
    parts : what is to be a submodule, and reset as the unit is, by name
    idle : neither the unit nor what is on its way there has anything
    """

    FAULTS = 2

    def __init__(self, engine: EngineParts, unit: VectorUnit) -> None:
        self.engine, self.unit = engine, unit
        block = write_block(unit.parameters.block_bits)
        self.block = data.StructLayout({"block": block, "index": INDEX_BITS, "tag": Tag})
        self.tasks = StreamRegister(result_task())
        self.beat_reads = StreamRegister(unit.beat_reads.payload.shape())
        self.requests = StreamRegister(read_request())
        self.blocks = StreamRegister(self.block)
        self.parts: dict[str, Any] = {
            "unit": unit,
            "unit_tasks": self.tasks,
            "unit_beat_reads": self.beat_reads,
            "unit_requests": self.requests,
            "unit_blocks": self.blocks,
        }

        self.idle = Signal()

    @property
    def faults(self) -> list[tuple[Value, Value]]:
        unit = self.unit
        return [(unit.result_fault, unit.result_index), (unit.fault, unit.index)]

    def connect(self, m: Module) -> None:
        self._connect_results(m)
        self._connect_memory(m)
        self._connect_fetch(m)
        self._connect_registers(m)
        idle = Signal()
        # a cycle later; whatever is given to the unit makes it busy in that cycle
        m.d.sync += idle.eq(self.unit.idle)
        m.d.comb += [
            self.unit.halt.eq(self.engine.faults.halt),
            self.idle.eq(idle & self.tasks.empty),
        ]

    def _connect_results(self, m: Module) -> None:
        """Tiles of NARROW and JOIN, sums for UPDATE."""
        unit, result = self.unit, self.engine.result
        wiring.connect(m, result.unit_beats, unit.result_beats)
        wiring.connect(m, unit.beat_reads, self.beat_reads.i)
        wiring.connect(m, self.beat_reads.o, result.beat_reads)
        self._pass_tasks(m)
        m.d.comb += [
            result.unit_ended.eq(unit.result_ended),
            unit.beat_answer.eq(result.beat_answer),
            unit.beat.eq(result.beat),
        ]

    def _pass_tasks(self, m: Module) -> None:
        """Commands wait here while one is at work."""
        given, waiting = self.engine.result.unit_tasks, self.tasks
        task = Signal(result_task())
        joins = command_view(Opcode.END, given.payload.command).opcode == Opcode.JOIN
        fill_result_task(
            m,
            task,
            given.payload.command,
            index=given.payload.index,
            joins=joins,
            masked=given.payload.masked,
        )
        wiring.connect(m, waiting.o, self.unit.result_tasks)
        m.d.comb += [
            waiting.i.payload.eq(task),
            waiting.i.valid.eq(given.valid),
            given.ready.eq(waiting.i.ready),
        ]

    def _connect_memory(self, m: Module) -> None:
        unit, memory = self.unit, self.engine.memory
        asking, leaving = self.requests, self.blocks
        wiring.connect(m, unit.requests, asking.i)
        wiring.connect(m, asking.o, memory.requests[VECTOR])
        wiring.connect(m, memory.words[VECTOR], unit.words)
        out, blocks = leaving.o, memory.vector_blocks
        m.d.comb += [
            leaving.i.payload.eq(
                Cat(unit.blocks.payload.as_value(), unit.block_index, unit.block_tag)
            ),
            leaving.i.valid.eq(unit.blocks.valid),
            unit.blocks.ready.eq(leaving.i.ready),
            blocks.payload.eq(out.payload.block),
            blocks.valid.eq(out.valid),
            out.ready.eq(blocks.ready),
            memory.vector_index.eq(out.payload.index),
            memory.awaited[VECTOR].eq(unit.index),
            unit.writer_idle.eq(memory.vector_idle & leaving.empty),
        ]

    def _connect_fetch(self, m: Module) -> None:
        """Lines and records that are brought; planes of both, the unit's first."""
        unit, fetch, execute = self.unit, self.engine.fetch, self.engine.execute
        for name in ("record_writes", "staging_writes", "side_writes"):
            wiring.connect(m, getattr(fetch, name), getattr(unit, name))
        wiring.connect(m, fetch.plane_reads, execute.plane_reads)
        coming, planes = (
            Signal.like(unit.plane_write, name=name)
            for name in ("unit_planes_coming", "unit_planes")
        )
        m.d.sync += [coming.eq(unit.plane_write), planes.eq(coming)]
        m.d.comb += [
            fetch.plane_answers.eq(execute.plane_answers),
            fetch.plane_busy.eq(coming.valid),
            execute.plane_write.as_value().eq(
                pair_mux(
                    m,
                    planes.valid,
                    planes.as_value(),
                    fetch.plane_write.as_value(),
                    name="plane_write",
                    primitives=self.unit.primitives,
                )
            ),
        ]

    def _connect_registers(self, m: Module) -> None:
        unit, registers, tokens = self.unit, self.engine.registers, self.engine.tokens
        m.d.comb += [
            unit.seed.eq(Cat(registers.seed_low, registers.seed_high)[:SEED_BITS]),
            unit.step.eq(Cat(registers.step_low, registers.step_high)[:STEP_BITS]),
            registers.host_tokens.eq(tokens.host_tokens),
            tokens.host_take.eq(registers.host_take),
            tokens.host_give.eq(registers.host_give),
        ]

    # -- counters ------------------------------------------------------------------------------

    def count(self, m: Module) -> None:
        """Events of `hw.contract.registers.VECTOR_COUNTERS`."""
        self._count_cycles(m)
        self._count_words(m)
        memory, written = self.engine.memory, self.engine.registers.stash_written
        m.d.sync += [
            written.valid.eq(memory.vector_blocks.valid & memory.vector_blocks.ready),
            written.tag.eq(self.blocks.o.payload.tag),
        ]

    def _count_cycles(self, m: Module) -> None:
        """Under the tag of the command at work, or of the one at its gate."""
        unit, engine, cycle = self.unit, self.engine, self.engine.registers.vector_cycle
        gate = engine.tokens.o[Stage.VECTOR]
        waits = engine.tokens.blocked[Stage.VECTOR] & unit.idle_stage
        waiting_tag = command_view(Opcode.END, gate.payload.command).tag
        causes = (
            ("VECTOR_BUSY", unit.line),
            ("VECTOR_CHANNEL", unit.channel),
            ("VECTOR_STALL_BANK", unit.banks),
            ("VECTOR_STALL_READ", unit.reads),
            ("VECTOR_STALL_WRITE", unit.writes),
            ("VECTOR_STALL_TOKEN", waits),
        )
        now, tag = Signal(len(causes)), Signal(Tag)
        number: Value = Value.cast(0)
        for (name, _), happened in reversed(list(zip(causes, now, strict=True))):
            number = Mux(happened, NUMBERS[name], number)
        running = engine.supervisor.running
        m.d.sync += [
            now.eq(Cat(happens for _, happens in causes) & running.replicate(len(causes))),
            tag.eq(Mux(unit.idle_stage, waiting_tag, unit.tag)),
            cycle.valid.eq(now.any()),
            cycle.number.eq(number),
            cycle.tag.eq(tag),
        ]

    def _count_words(self, m: Module) -> None:
        """One word can be counted in a cycle: the unit's wait for their turn."""
        unit, memory, fetch = self.unit, self.engine.memory, self.engine.fetch
        read, waiting = self.engine.registers.stash_read, Signal(range(WORDS_WAITING + 1))
        words = memory.words[VECTOR]
        comes, mine, tag = words.valid & words.ready, Signal(), Signal(Tag)
        with m.If(comes):
            m.d.sync += tag.eq(unit.tag)
        m.d.comb += mine.eq((waiting != 0) & ~fetch.stash_taken)
        m.d.sync += [
            waiting.eq(waiting + comes - mine),
            read.valid.eq(fetch.stash_taken | mine),
            read.tag.eq(Mux(fetch.stash_taken, fetch.tag, tag)),
        ]
