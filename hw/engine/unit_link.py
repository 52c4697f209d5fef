"""What joins a vector unit to the engine."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring

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
from fractrain.hw.flow.pair_mux import pair_mux
from fractrain.hw.flow.tasks import command_view
from fractrain.hw.results.stage import ResultStage
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
    """The ways between ``unit`` and the parts of an engine.

    faults : of NARROW and JOIN, of the vector stage, each with its command
    """

    FAULTS = 2

    def __init__(self, engine: EngineParts, unit: VectorUnit) -> None:
        self.engine, self.unit = engine, unit

    @property
    def faults(self) -> list[tuple[Value, Value]]:
        unit = self.unit
        return [(unit.result_fault, unit.result_index), (unit.fault, unit.index)]

    def connect(self, m: Module) -> None:
        self._connect_results(m)
        self._connect_memory(m)
        self._connect_fetch(m)
        self._connect_registers(m)
        m.d.comb += self.unit.halt.eq(self.engine.faults.halt)

    def _connect_results(self, m: Module) -> None:
        """Tiles of NARROW and JOIN, sums for UPDATE."""
        unit, result = self.unit, self.engine.result
        wiring.connect(m, result.unit_tasks, unit.result_tasks)
        wiring.connect(m, result.unit_beats, unit.result_beats)
        wiring.connect(m, unit.beat_reads, result.beat_reads)
        m.d.comb += [
            result.unit_ended.eq(unit.result_ended),
            unit.beat_answer.eq(result.beat_answer),
            unit.beat.eq(result.beat),
        ]

    def _connect_memory(self, m: Module) -> None:
        unit, memory = self.unit, self.engine.memory
        wiring.connect(m, unit.requests, memory.requests[VECTOR])
        wiring.connect(m, memory.words[VECTOR], unit.words)
        wiring.connect(m, unit.blocks, memory.vector_blocks)
        m.d.comb += [
            memory.vector_index.eq(unit.block_index),
            memory.awaited[VECTOR].eq(unit.index),
            unit.writer_idle.eq(memory.vector_idle),
        ]

    def _connect_fetch(self, m: Module) -> None:
        """Lines and records that are brought; planes of both, the unit's first."""
        unit, fetch, execute = self.unit, self.engine.fetch, self.engine.execute
        for name in ("record_writes", "staging_writes", "side_writes"):
            wiring.connect(m, getattr(fetch, name), getattr(unit, name))
        wiring.connect(m, fetch.plane_reads, execute.plane_reads)
        planes = Signal.like(unit.plane_write, name="unit_planes")
        m.d.sync += planes.eq(unit.plane_write)
        m.d.comb += [
            fetch.plane_answers.eq(execute.plane_answers),
            fetch.plane_busy.eq(unit.plane_write.valid),
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
        unit, memory, written = self.unit, self.engine.memory, self.engine.registers.stash_written
        m.d.sync += [
            written.valid.eq(memory.vector_blocks.valid & memory.vector_blocks.ready),
            written.tag.eq(unit.block_tag),
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
        number: Value = Value.cast(0)
        for name, happens in reversed(causes):
            number = Mux(happens, NUMBERS[name], number)
        some = Cat(happens for _, happens in causes).any()
        m.d.sync += [
            cycle.valid.eq(some & engine.supervisor.running),
            cycle.number.eq(number),
            cycle.tag.eq(Mux(unit.idle_stage, waiting_tag, unit.tag)),
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
