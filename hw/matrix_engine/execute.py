"""The execute stage: passes from the sequencer, operands from the buffers, work for the array."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.matrix_commands import Fault
from hw.contract.parameters import Parameters
from hw.mac.array import MacArray
from hw.mac.flavour import Flavour
from hw.mac.pipeline import delayed
from hw.matrix_engine.fetch import buffer_write
from hw.memory.operand_buffer import BlockMemory, OperandBuffer
from hw.sequencer.plane_sequencer import PlaneSequencer
from hw.sequencer.tasks import INDEX_BITS, excess_bits, multiply_task, plane_pass

__all__ = ["ExecuteStage"]

ISSUE_CYCLES = 1
"""From the issue of a pass to its addresses at the buffers."""


class ExecuteStage(wiring.Component):
    """Runs multiply tasks: one pass per cycle, bubbles only where ``may_finish`` asks for them.

    Members
    -------
    tasks : In(stream of `multiply_task`)
    write : In(`buffer_write`)        from the fetch stage
    may_finish : In(1)                a tile's last pass may be issued
    finish, excess : Out              a tile's last pass is issued, with its absent planes
    beats : Out                       results, as from `MacArray`
    issued : Out(1)                   a pass is issued in this cycle
    blocked : Out(1)                  a pass waits for ``may_finish``
    signal : Out(1)                   a task that asks for a token to be given ended a cycle ago
    fault, index : Out                `Fault.ADDRESS` for a cycle after a read beyond a buffer,
                                      and the command that did it
    halt : In(1)                      issue no more passes
    waiting : Out(1)                  no task at work
    idle : Out(1)                     nor any pass on its way to the buffers

    Timing: a finished tile's first beat comes `latency_cycles` after its last pass was issued.
    """

    def __init__(self, parameters: Parameters, *, flavour: Flavour):
        self.parameters = parameters
        self.array = MacArray(parameters, flavour=flavour)
        super().__init__(
            {
                "tasks": In(stream.Signature(multiply_task(parameters))),
                "write": In(buffer_write(parameters)),
                "may_finish": In(1),
                "finish": Out(1),
                "excess": Out(excess_bits(parameters)),
                "beats": Out(self.array.results.shape()),
                "issued": Out(1),
                "blocked": Out(1),
                "signal": Out(1),
                "fault": Out(8),
                "index": Out(INDEX_BITS),
                "halt": In(1),
                "waiting": Out(1),
                "idle": Out(1),
            }
        )

    @property
    def latency_cycles(self) -> int:
        return ISSUE_CYCLES + BlockMemory.LATENCY_CYCLES + self.array.latency_cycles

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sequencer = sequencer = PlaneSequencer(self.parameters)
        wiring.connect(m, wiring.flipped(self.tasks), sequencer.tasks)
        current = sequencer.passes
        may_issue = (~current.payload.last | self.may_finish) & ~self.halt
        m.d.comb += [
            current.ready.eq(may_issue),
            self.issued.eq(current.valid & may_issue),
            self.blocked.eq(current.valid & current.payload.last & ~self.may_finish),
            self.finish.eq(self.issued & current.payload.last),
            self.excess.eq(current.payload.excess),
            self.waiting.eq(~current.valid),
        ]
        # the pass that is on its way to the buffers: they and the array are far apart
        reading = Signal()
        under_way = Signal(plane_pass(self.parameters))
        index = Signal(INDEX_BITS)
        m.d.comb += self.idle.eq(~current.valid & ~reading & (self.fault == Fault.NONE))
        m.d.sync += [
            self.signal.eq(sequencer.signal),
            reading.eq(self.issued),
            under_way.eq(current.payload),
            index.eq(sequencer.task.index),
        ]
        self._check_addresses(m, reading, under_way, index)
        self._connect_buffers(m, reading, under_way)
        self._connect_array(m, reading, under_way)
        return m

    def _check_addresses(self, m: Module, reading: Value, current: data.View, index: Value) -> None:
        buffers = self.parameters.buffers
        beyond = (current.row_address >= buffers.row_words) | (
            current.column_address >= buffers.column_words
        )
        m.d.sync += [
            self.fault.eq(Mux(reading & beyond, Fault.ADDRESS, Fault.NONE)),
            self.index.eq(index),
        ]

    def _connect_buffers(self, m: Module, reading: Value, current: data.View) -> None:
        array, buffers = self.parameters.array, self.parameters.buffers
        rows = OperandBuffer(self.parameters, vectors=array.rows, words=buffers.row_words)
        columns = OperandBuffer(self.parameters, vectors=array.columns, words=buffers.column_words)
        m.submodules.rows, m.submodules.columns = rows, columns
        for buffer, address in ((rows, current.row_address), (columns, current.column_address)):
            m.d.comb += [
                buffer.read_enable.eq(reading),
                buffer.read_address.eq(address),
                buffer.write_address.eq(self.write.address),
                buffer.write_part.eq(self.write.part),
            ]
        width = len(columns.write_data)
        m.d.comb += [
            rows.write_enable.eq(self.write.rows),
            rows.write_data.eq(self.write.block),
            columns.write_enable.eq(self.write.columns),
            columns.write_data.eq(self.write.block.word_select(self.write.tile, width)),
            self.array.rows.eq(rows.vectors),
            self.array.columns.eq(columns.vectors),
        ]

    def _connect_array(self, m: Module, reading: Value, current: data.View) -> None:
        """The array's control travels beside the operands through the buffers' latency."""
        m.submodules.array = array = self.array
        control = Signal.like(array.control)
        m.d.comb += [control.valid.eq(reading), self.beats.eq(array.results)]
        for name in ("shift", "first", "last"):
            m.d.comb += control[name].eq(current[name])
        for name in ("row_enable", "row_negative", "column_enable", "column_negative"):
            m.d.comb += control[name].eq(current[name])
        m.d.comb += array.control.eq(
            delayed(m, control, BlockMemory.LATENCY_CYCLES, name="control", reset_less=False)
        )
