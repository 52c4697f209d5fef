"""The convolution engine: a program of commands in memory in, tensors in memory out."""

from dataclasses import fields
from typing import Any

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.signature import AXI3
from fractrain.hw.contract.commands import Opcode, Stage, Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.control.axi_lite import AXI_LITE, AxiLiteSlave
from fractrain.hw.control.decoder import CommandDecoder
from fractrain.hw.control.faults import FaultCollector
from fractrain.hw.control.registers import RegisterFile
from fractrain.hw.control.tokens import TokenNetwork
from fractrain.hw.engine.cycle_classes import CycleClasses
from fractrain.hw.engine.execute import ExecuteStage
from fractrain.hw.engine.memory_system import COMMANDS, TENSORS, MemorySystem
from fractrain.hw.engine.supervisor import Supervisor
from fractrain.hw.engine.unit_link import EngineParts, UnitLink
from fractrain.hw.fetch.commands import CommandFetcher
from fractrain.hw.fetch.stage import FetchStage
from fractrain.hw.fetch.vector_stage import VectorFetchStage
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.parties import parties
from fractrain.hw.flow.spread_reset import SpreadReset
from fractrain.hw.flow.tasks import command_view, stage_task
from fractrain.hw.mac.flavour import Flavour
from fractrain.hw.results.stage import ResultStage
from fractrain.hw.vector.unit import VectorUnit

__all__ = ["ConvolutionEngine"]

RESET_MARGIN = 8
"""Cycles of a soft reset beyond those in which results come out of the array."""

WORDS_WAITING = 31
"""Command words that wait to be counted: words of both clients never come together for long."""


class ConvolutionEngine(wiring.Component):
    """Registers, command decoder, and the three stages around one array and its memories; with a
    vector unit the fourth (`UnitLink`).

    Members
    -------
    axi_lite : In(`AXI_LITE`)                see `hw.contract.registers`
    hp0 .. : Out(`AXI3`)                     ``memory.ports`` ports to memory
    port : Out(stream of result beats)       what `hw.contract.commands.Format.PORT` stores
    interrupt : Out(1)

    `hw.contract` has commands, precision and counters. Software meets the stages at the start of a
    program, at its end and at a fault; in between they run ahead of each other as far as tokens and
    queues allow.

    Of several faults in one cycle, the machine reports the one furthest along the data's way. A
    fault is reported with the number of its command; for a command that cannot be fetched, this is
    the first command of the burst. If memory fails or falls silent, it is the LOAD or command that
    waits for the word, or the STORE that last sent a block.
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        flavour: Flavour,
        build_hash: int = 0,
    ):
        self.parameters = parameters
        self.of = parties(parameters)
        self.registers = RegisterFile(parameters, build_hash=build_hash)
        primitives = flavour is Flavour.SYNTHESIS
        self.memory = MemorySystem(parameters, primitives=primitives)
        self.decoder = CommandDecoder(parameters)
        self.tokens = TokenNetwork(stage_task(parameters), self.of)
        self.commands = CommandFetcher(parameters)
        with_unit = parameters.vector is not None
        self.fetch: Any = VectorFetchStage(parameters) if with_unit else FetchStage(parameters)
        self.execute = ExecuteStage(parameters, flavour=flavour)
        self.result = ResultStage(parameters)
        self.supervisor = Supervisor(
            self.execute.latency_cycles + parameters.beats_per_tile + RESET_MARGIN
        )
        self.faults = FaultCollector(6 + UnitLink.FAULTS if with_unit else 6)
        self.unit: UnitLink | None = None
        if with_unit:
            unit = VectorUnit(parameters, primitives=primitives)
            self.unit = UnitLink(self._parts, unit)
        super().__init__(
            {
                "axi_lite": In(AXI_LITE),
                **{port: Out(AXI3) for port in self.memory.ports},
                "port": Out(stream.Signature(self.result.port.payload.shape())),
                "interrupt": Out(1),
            }
        )

    @property
    def _parts(self) -> EngineParts:
        return EngineParts(**{each.name: getattr(self, each.name) for each in fields(EngineParts)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name in ("registers", "memory", "commands", "supervisor"):
            m.submodules[name] = getattr(self, name)
        resets = SpreadReset(m, platform)
        for name in ("decoder", "fetch", "execute", "result"):
            resets.add(name, getattr(self, name))
        if self.unit is not None:
            for name, part in self.unit.parts.items():
                resets.add(name, part)
        # words left over from the last program are dropped
        resets.add("tokens", ResetInserter(self.registers.start)(self.tokens))
        m.submodules.faults = self.faults
        m.submodules.axi_lite_slave = slave = AxiLiteSlave()
        wiring.connect(m, wiring.flipped(self.axi_lite), slave.axi)
        wiring.connect(m, slave.bus, self.registers.bus)
        wiring.connect(m, self.result.port, wiring.flipped(self.port))
        self._connect_supervisor(m)
        self._connect_memory(m)
        self._connect_commands(m)
        queues_empty = self._connect_tasks(m, resets)
        self._connect_stages(m)
        if self.unit is not None:
            self.unit.connect(m)
        self._stop_on_fault(m)
        self._await_end(m, queues_empty)
        self._count(m)
        m.d.comb += [
            self.memory.clear.eq(resets.copy("memory")),
            self.commands.clear.eq(resets.copy("commands")),
            self.result.clear.eq(resets.copy("result")),
            self.faults.clear.eq(self.supervisor.reset),
        ]
        resets.finish(self.supervisor.reset_next)
        return m

    def _connect_supervisor(self, m: Module) -> None:
        registers, supervisor = self.registers, self.supervisor
        m.d.comb += [
            supervisor.start.eq(registers.start),
            supervisor.reset_request.eq(registers.reset),
            supervisor.finished.eq(self.decoder.done),
            supervisor.halt.eq(self.faults.halt),
            supervisor.failed.eq(self.faults.failed),
            supervisor.quiet.eq(self.memory.quiet),
            registers.idle.eq(supervisor.idle),
            registers.done.eq(supervisor.done),
            registers.draining.eq(supervisor.draining),
            registers.attention.eq(supervisor.attention),
            self.interrupt.eq(registers.interrupt),
        ]

    def _connect_memory(self, m: Module) -> None:
        memory, registers = self.memory, self.registers
        for port in memory.ports:
            wiring.connect(m, getattr(memory, port), wiring.flipped(getattr(self, port)))
        for client, part in ((COMMANDS, self.commands), (TENSORS, self.fetch)):
            wiring.connect(m, part.requests, memory.requests[client])
            wiring.connect(m, memory.words[client], part.words)
        wiring.connect(m, self.result.blocks, memory.blocks)
        m.d.comb += [
            memory.window_first.eq(registers.window_first),
            memory.window_last.eq(registers.window_last),
            memory.watchdog.eq(registers.watchdog),
            memory.halt.eq(self.faults.halt),
            memory.block_index.eq(self.result.sent_index),
            memory.awaited[COMMANDS].eq(self.commands.index),
            memory.awaited[TENSORS].eq(self.fetch.index),
            self.result.writer_idle.eq(
                memory.writer_idle if self.unit is None else memory.result_idle
            ),
        ]

    def _connect_commands(self, m: Module) -> None:
        registers, commands, decoder = self.registers, self.commands, self.decoder
        m.d.comb += [
            commands.start.eq(registers.start),
            commands.address.eq(registers.program_address),
            commands.count.eq(registers.program_commands),
            decoder.start.eq(registers.start),
            decoder.running.eq(self.supervisor.running),
            decoder.total.eq(registers.program_commands),
            decoder.commands.payload.eq(commands.commands.payload.command),
            decoder.commands.valid.eq(commands.commands.valid),
            commands.commands.ready.eq(decoder.commands.ready),
            registers.slot.eq(decoder.slot),
            decoder.entry.eq(registers.entry),
        ]

    def _connect_tasks(self, m: Module, resets: SpreadReset) -> Value:
        """A queue and a token gate in front of every stage; returns whether they are empty."""
        empty = []
        for stage, part in self._stages().items():
            offered, gate = self.decoder.tasks[stage], self.tokens.i[stage]
            queue = Fifo(stage_task(self.parameters), self.parameters.queues.commands)
            resets.add(f"{stage.name}_queue".lower(), queue)
            wiring.connect(m, offered, queue.w_stream)
            wiring.connect(m, queue.r_stream, gate)
            m.d.comb += self.tokens.ended[stage].eq(Mux(part.ended, part.signal, 0))
            wiring.connect(m, self.tokens.o[stage], part.tasks)
            empty += [queue.level == 0, ~self.tokens.held[stage]]
        return Cat(empty).all()

    def _stages(self) -> dict[Stage, Any]:
        stages = {Stage.FETCH: self.fetch, Stage.EXECUTE: self.execute, Stage.RESULT: self.result}
        return stages if self.unit is None else stages | {Stage.VECTOR: self.unit.unit}

    def _connect_stages(self, m: Module) -> None:
        fetch, execute, result = self.fetch, self.execute, self.result
        if self.unit is None:
            m.d.comb += execute.plane_write.eq(fetch.plane_write)
        m.d.comb += [
            execute.column_write.eq(fetch.column_write),
            execute.may_finish.eq(result.ready),
            result.admit.eq(execute.finish),
            result.excess.eq(execute.excess),
            result.beats.eq(execute.beats),
        ]

    def _stop_on_fault(self, m: Module) -> None:
        """The first fault stops everything; its cause and command stay readable."""
        memory, registers, faults = self.memory, self.registers, self.faults
        sources = (
            (self.decoder.fault, self.decoder.index),
            (memory.read_fault, memory.read_index),
            (self.fetch.fault, self.fetch.index),
            (self.execute.fault, self.execute.index),
            (self.result.fault, self.result.index),
            *([] if self.unit is None else self.unit.faults),
            (memory.write_fault, memory.write_index),
        )
        for number, (fault, index) in enumerate(sources):
            m.d.comb += [faults.fault[number].eq(fault), faults.index[number].eq(index)]
        m.d.comb += [
            registers.failed.eq(faults.failed),
            registers.cause.eq(faults.cause),
            registers.fault_index.eq(faults.fault_index),
            *(part.halt.eq(faults.halt) for part in (self.decoder, *self._stages().values())),
        ]

    def _await_end(self, m: Module, queues_empty: Value) -> None:
        """END waits for this; a register, as it comes from all over the engine."""
        quiescent = (
            queues_empty
            & self.decoder.idle
            & self.commands.done
            & self.fetch.idle
            & self.execute.idle
            & self.result.idle
            & self.memory.writer_idle
        )
        if self.unit is not None:
            quiescent = quiescent & self.unit.idle
        m.d.sync += self.decoder.quiescent.eq(quiescent)

    def _count(self, m: Module) -> None:
        m.submodules.cycle_classes = classes = CycleClasses()
        execute, registers = self.execute, self.registers
        gate = self.tokens.o[Stage.EXECUTE]
        for name in ("issued", "blocked_operand", "blocked_result", "waiting", "idle", "tag"):
            m.d.comb += getattr(classes, name).eq(getattr(execute, name))
        m.d.comb += [
            classes.running.eq(self.supervisor.running),
            classes.passed.eq(gate.valid & gate.ready),
            classes.held.eq(self.tokens.held[Stage.EXECUTE]),
            classes.blocked.eq(self.tokens.blocked[Stage.EXECUTE]),
            classes.for_load.eq(self.tokens.starved[Stage.EXECUTE][Stage.FETCH] & self.fetch.busy),
            classes.gate_tag.eq(command_view(Opcode.END, gate.payload.command).tag),
            registers.cycle.eq(classes.cycle),
        ]
        self._count_bytes(m)
        if self.unit is not None:
            self.unit.count(m)

    def _count_bytes(self, m: Module) -> None:
        """One word can be counted in a cycle: those of commands wait for their turn."""
        fetch, registers = self.fetch, self.registers
        waiting = Signal(range(WORDS_WAITING + 1))
        mine = Signal()
        m.d.comb += mine.eq((waiting != 0) & ~fetch.words_taken)
        m.d.sync += [
            waiting.eq(waiting + self.commands.words_taken - mine),
            registers.read.valid.eq(fetch.words_taken | mine),
            registers.read.tag.eq(Mux(mine, Tag.OTHER, fetch.tag)),
        ]
        m.d.sync += [
            registers.written.valid.eq(self.result.blocks_sent),
            registers.written.tag.eq(self.result.tag),
        ]
