"""The window feeder: from CONVOLVEs and the plane memory to the rows of the array."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Fault, Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.feeder.pair_issue import PairIssue
from fractrain.hw.feeder.pattern_table import ENTRY, ENTRY_OFFSET, pattern_write
from fractrain.hw.feeder.place_walk import PlaceWalk
from fractrain.hw.feeder.reader import WindowReader
from fractrain.hw.feeder.window import WindowRegister
from fractrain.hw.flow.layouts import plane_write, row_operand
from fractrain.hw.flow.tasks import INDEX_BITS, command_view, stage_task
from fractrain.hw.memory.plane_memory import bank_address_bits, move_members

__all__ = ["WindowFeeder"]

PATTERN_BIT = (Opcode.PATTERN & ~Opcode.CONVOLVE).bit_length() - 1
"""Bit of the command word that tells a PATTERN from a CONVOLVE; no other command comes here."""


class WindowFeeder(wiring.Component):
    """Windows for the rows of the array, in the order of the loop nest in `Convolve`.

    Members
    -------
    tasks : In(stream(stage_task(parameters)))
        every CONVOLVE with ``skip`` = 0 and every PATTERN, in order; all their counts at least 1
    write : In(plane_write(parameters))
        into the plane memory
    complete : Out(1)    a window is ready
    take : In(1)         use it; only while ``complete``
    rows : Out(row_operand(parameters.array))
        the window that was taken last
    halt : In(1)         read no more
    fault : Out(Fault), fault_index : Out(32)
        ADDRESS for one cycle: the CONVOLVE with that index reads outside the plane
        memory. Its window is never complete, nor any after it until reset
    busy : Out(1)        a task, a read or a window that was not taken is inside
    moves, moved         with a vector unit, as in `PlaneMemory`

    Timing: a pair of reads per cycle; two cycles for two words of the same bank. A window of n
    such cycles is complete n cycles after the one before it, if that was taken by then; there is
    no gap between windows, places and commands. A PATTERN waits until every pair before it has
    been looked up. ``rows`` shows a window from `ROWS_LATENCY_CYCLES` after its ``take`` until as
    long after the next ``take``. The first window is complete ``latency_cycles`` + n - 1 cycles
    after its command.

    ``primitives`` : with instances of the 7 series' wide multiplexers, which Yosys does not find
    by itself; the same logic, for synthesis only.

    Errors: `ParameterError` for sizes that the convolution engine cannot have.
    """

    ROWS_LATENCY_CYCLES = WindowRegister.LATENCY_CYCLES

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters = parameters
        self.walk = PlaceWalk(parameters)
        self.issue = PairIssue(parameters, bank_address_bits(parameters))
        self.reader = WindowReader(parameters, primitives=primitives)
        self.window = WindowRegister(parameters, primitives=primitives)
        super().__init__(
            {
                "tasks": In(stream.Signature(stage_task(parameters))),
                "write": In(plane_write(parameters)),
                "complete": Out(1),
                "take": In(1),
                "rows": Out(row_operand(parameters.array)),
                "halt": In(1),
                "fault": Out(Fault),
                "fault_index": Out(INDEX_BITS),
                "busy": Out(1),
                **(move_members(parameters) if parameters.vector is not None else {}),
            }
        )

    @property
    def latency_cycles(self) -> int:
        """From a CONVOLVE to its first window, if that has one pair without a conflict."""
        return (
            self.walk.latency_cycles
            + self.issue.latency_cycles
            + self.reader.LATENCY_CYCLES
            + 1  # the write into the window
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        walk, issue, reader, window = self.walk, self.issue, self.reader, self.window
        m.submodules.walk, m.submodules.issue = walk, issue
        m.submodules.reader, m.submodules.window = reader, window
        wiring.connect(m, walk.o, issue.pairs)
        wiring.connect(m, issue.steps, reader.steps)
        m.d.comb += [
            window.write.eq(reader.o),
            window.coming.eq(reader.coming),
            reader.advance.eq(window.advance),
            reader.write.eq(self.write),
            issue.halt.eq(self.halt),
            window.take.eq(self.take),
            self.complete.eq(window.complete),
            self.rows.eq(window.rows),
            self.fault.eq(issue.fault),
            self.fault_index.eq(issue.fault_index),
        ]
        if self.parameters.vector is not None:
            wiring.connect(m, wiring.flipped(self.moves), reader.moves)
            m.d.comb += self.moved.eq(reader.moved)
        self._accept(m)
        return m

    def _accept(self, m: Module) -> None:
        """A CONVOLVE goes into the walk, a PATTERN into the table once the walk is empty."""
        task, walk = self.tasks.payload, self.walk
        is_pattern = task.command[PATTERN_BIT]
        write = Signal(pattern_write(self.parameters))
        walking = Signal(range(PlaceWalk.CAPACITY + 1))
        m.d.comb += [
            walk.i.payload.eq(task),
            walk.i.valid.eq(self.tasks.valid & ~is_pattern),
            self.tasks.ready.eq((is_pattern & (walking == 0)) | (~is_pattern & walk.i.ready)),
            self.issue.write.eq(write),
            self.busy.eq(
                (walking != 0) | write.valid | self.issue.busy | self.reader.busy | self.window.busy
            ),
        ]
        m.d.sync += [
            write.valid.eq(self.tasks.valid & is_pattern & (walking == 0)),
            write.address.eq(command_view(Opcode.PATTERN, task.command).entry),
            write.entry.eq(task.command[ENTRY_OFFSET : ENTRY_OFFSET + ENTRY.size]),
        ]
        begins = walk.i.valid & walk.i.ready
        m.d.sync += walking.eq(walking + begins - self.issue.done)
