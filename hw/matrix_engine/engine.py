"""The matrix engine: ``C = A * B^T`` of bit-plane matrices, tile by tile, at run-time precision."""

from typing import Any

from amaranth.hdl import Cat, Module, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from hw.contract.matrix_commands import COMMAND_BITS
from hw.contract.matrix_registers import COUNTERS
from hw.contract.parameters import Parameters
from hw.flow.stream_register import StreamRegister
from hw.mac.flavour import Flavour
from hw.matrix_engine.decoder import CommandDecoder
from hw.matrix_engine.execute import ExecuteStage
from hw.matrix_engine.fetch import FetchStage
from hw.matrix_engine.registers import RegisterFile, register_bus
from hw.matrix_engine.result import ResultStage, result_beat
from hw.matrix_engine.tokens import TokenCounter, TokenGate
from hw.sequencer.precision_table import PrecisionTable
from hw.sequencer.tasks import load_task, multiply_task

__all__ = ["MatrixEngine"]


class MatrixEngine(wiring.Component):
    """Command decoder, fetch, execute and result stages around one MAC array.

    Members
    -------
    commands : In(stream of 128-bit words)     see `hw.contract.matrix_commands`
    load : In(stream of blocks)                see `hw.contract.layout`
    results : Out(stream of `result_beat`)
    registers : In(`register_bus`)             see `hw.contract.matrix_registers`
    idle : Out(1)     nothing queued and nothing in flight
    fault : Out(1)    stopped by an error until CONTROL.RESET is written

    Timing: once operands are in the buffers, one pass per cycle with no bubble between tiles, as
    long as results are taken at once, tiles last at least `Parameters.beats_per_tile` passes, and
    ``queues.result_tiles`` tiles last longer than one is on its way: `latency_cycles` and the
    beats of a tile, and a few cycles more for admission and queue.
    """

    def __init__(self, parameters: Parameters, *, flavour: Flavour, build_hash: int = 0):
        self.parameters = parameters
        self.register_file = RegisterFile(parameters, build_hash=build_hash)
        self.execute = ExecuteStage(parameters, flavour=flavour)
        super().__init__(
            {
                "commands": In(stream.Signature(COMMAND_BITS)),
                "load": In(stream.Signature(parameters.block_bits)),
                "results": Out(stream.Signature(result_beat(parameters))),
                "registers": In(register_bus),
                "idle": Out(1),
                "fault": Out(1),
            }
        )
        self.reset = Signal()
        self.halt = Signal()

    @property
    def latency_cycles(self) -> int:
        """From the issue of a tile's last pass to its first beat from the array."""
        return self.execute.latency_cycles

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.registers = registers = self.register_file
        m.submodules.table = table = PrecisionTable(self.parameters)
        m.submodules.decoder = decoder = self._resettable(CommandDecoder(self.parameters))
        m.submodules.fetch = fetch = self._resettable(FetchStage(self.parameters))
        m.submodules.execute = self._resettable(self.execute)
        m.submodules.result = result = self._resettable(ResultStage(self.parameters))
        wiring.connect(m, wiring.flipped(self.registers), registers.bus)
        wiring.connect(m, wiring.flipped(self.commands), decoder.commands)
        wiring.connect(m, wiring.flipped(self.load), fetch.blocks)
        wiring.connect(m, result.results, wiring.flipped(self.results))
        self._connect_table(m, registers, table, decoder)
        queues_empty, starved = self._connect_tasks(m, decoder, fetch)
        self._connect_results(m, result)
        self._stop_on_fault(m, decoder, fetch)
        self._count_events(m, fetch, result, starved)
        m.d.comb += self.idle.eq(
            ~self.reset
            & ~self.halt
            & queues_empty
            & decoder.idle
            & fetch.idle
            & self.execute.idle
            & result.empty
        )
        return m

    def _resettable(self, component: Any) -> Any:
        return ResetInserter(self.reset)(component)

    def _connect_table(
        self, m: Module, registers: RegisterFile, table: PrecisionTable, decoder: CommandDecoder
    ) -> None:
        m.d.comb += [
            table.write_enable.eq(registers.table_write),
            table.write_slot.eq(registers.table_slot),
            table.write_entry.eq(registers.table_entry),
            table.read_enable.eq(decoder.read_enable),
            table.read_slot.eq(decoder.read_slot),
            decoder.entry.eq(table.entry),
        ]
        self._stretch_reset(m, registers.reset)

    def _stretch_reset(self, m: Module, request: Value) -> None:
        """Hold the reset until what is in the array, which has none, has come out unheard."""
        cycles = self.latency_cycles + self.parameters.beats_per_tile + 2
        left = Signal(range(cycles + 1))
        with m.If(request):
            m.d.sync += [left.eq(cycles), self.reset.eq(1)]
        with m.Elif(left != 0):
            m.d.sync += [left.eq(left - 1), self.reset.eq(left != 1)]

    def _connect_tasks(
        self, m: Module, decoder: CommandDecoder, fetch: FetchStage
    ) -> tuple[Value, Value]:
        """Queues and token gates between decoder and stages.

        Returns whether both queues are empty, and whether the execute stage waits for a token.
        """
        m.submodules.filled = filled = self._resettable(TokenCounter())
        m.submodules.freed = freed = self._resettable(TokenCounter())
        empty, starved = [], []
        for name, offered, layout, stage, takes, gives in (
            ("load", decoder.loads, load_task(self.parameters), fetch, freed, filled),
            (
                "multiply",
                decoder.multiplies,
                multiply_task(self.parameters),
                self.execute,
                filled,
                freed,
            ),
        ):
            queue = SyncFIFOBuffered(width=layout.size, depth=self.parameters.queues.commands)
            before, gate, behind = StreamRegister(layout), TokenGate(layout), StreamRegister(layout)
            for part, component in (
                ("queue", queue),
                ("before", before),
                ("gate", gate),
                ("behind", behind),
            ):
                m.submodules[f"{name}_{part}"] = self._resettable(component)
            m.d.comb += [
                queue.w_data.eq(offered.payload),
                queue.w_en.eq(offered.valid),
                offered.ready.eq(queue.w_rdy),
                before.i.payload.eq(queue.r_data),
                before.i.valid.eq(queue.r_rdy),
                queue.r_en.eq(before.i.ready),
                gate.available.eq(takes.available),
                gate.room.eq(~gives.full),
                takes.take.eq(gate.take),
                gives.give.eq(stage.signal),
            ]
            wiring.connect(m, before.o, gate.i)
            wiring.connect(m, gate.o, behind.i)
            wiring.connect(m, behind.o, stage.tasks)
            empty.append((queue.level == 0) & before.empty & behind.empty)
            starved.append(gate.starved)
        return Cat(empty).all(), starved[1]

    def _connect_results(self, m: Module, result: ResultStage) -> None:
        m.d.comb += [
            self.execute.may_finish.eq(result.ready),
            result.admit.eq(self.execute.finish),
            result.excess.eq(self.execute.excess),
            result.beats.eq(self.execute.beats),
            result.clear.eq(self.reset),
        ]

    def _stop_on_fault(self, m: Module, decoder: CommandDecoder, fetch: FetchStage) -> None:
        """The first fault stops all three stages; its cause and command stay readable."""
        registers = self.register_file
        m.d.comb += [
            self.execute.write.eq(fetch.write),
            # during a reset as well: what a stage took then would be forgotten
            *(stage.halt.eq(self.halt | self.reset) for stage in (decoder, fetch, self.execute)),
            registers.idle.eq(self.idle),
            registers.fault.eq(self.fault),
            self.fault.eq(self.halt & ~self.reset),
        ]
        with m.If(self.reset):
            m.d.sync += [self.halt.eq(0), registers.cause.eq(0), registers.fault_index.eq(0)]
        with m.Elif(~self.halt):
            # of faults in the same cycle the last statement counts: that of the stage whose
            # command is the oldest, as commands go from the decoder through the other two
            for stage in (decoder, fetch, self.execute):
                with m.If(stage.fault != 0):
                    m.d.sync += [
                        self.halt.eq(1),
                        registers.cause.eq(stage.fault),
                        registers.fault_index.eq(stage.index),
                    ]

    def _count_events(
        self, m: Module, fetch: FetchStage, result: ResultStage, starved: Value
    ) -> None:
        """Events reach the counters a cycle late, through a register."""
        execute = self.execute
        waiting = starved & execute.waiting
        events = {
            "BUSY": execute.issued,
            "STALL_RESULT": execute.blocked,
            "STALL_TOKEN": waiting,
            "IDLE_CYCLES": ~(execute.issued | execute.blocked | waiting),
            "BLOCKS_LOADED": fetch.blocks.valid & fetch.blocks.ready,
            "BEATS_SENT": result.sent,
        }
        m.d.sync += self.register_file.events.eq(Cat(events[counter.name] for counter in COUNTERS))
