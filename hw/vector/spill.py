"""SPILL: lines of the staging memory to memory."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import FIELDS, Fault, Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import ADDRESS_BITS, write_block
from fractrain.hw.flow.pair_mux import pair_mux
from fractrain.hw.flow.tasks import INDEX_BITS
from fractrain.hw.memory.line_memory import line_pair, pair_count
from fractrain.hw.vector.memories import vector_parameters
from fractrain.hw.vector.memory_tasks import spill_task

__all__ = ["Spill"]


class Spill(wiring.Component):
    """Carries out SPILL: line ``source + r * source_run_stride + i`` to byte ``address +
    line_bytes * (r * run_stride + i)``, run after run.

    Members
    -------
    tasks : In(stream of `spill_task`)
    reads : Out(stream of a pair's address), answer : In(1), pair : In(two lines)
                            staging memory: a pair that was granted is there with its ``answer``,
                            in order; no back-pressure
    blocks : Out(stream of `write_block`), settled : In(1)    as `WriteBehind` has them
    ended : Out(1)          the command has ended: memory has acknowledged all
    fault : Out(Fault)      for a cycle, then nothing until reset: ADDRESS for lines beyond the
                            memory, WINDOW for an address beyond 32 bits; after all that went
                            before is acknowledged, so that its faults come first
    index : Out             of the command at work
    line : Out(1)           a line has left

    Timing: a block a cycle at most, as many lines on their way as the queue holds (`LINES`), so
    the latency of the staging memory does not slow it down. A pair is read for each of its lines:
    memory takes a line every three cycles, so the port is never short.
    Errors: `ParameterError` for a machine without a vector unit.
    """

    LINES = 8

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters, self.primitives = parameters, primitives
        self.words = vector_parameters(parameters).staging_words
        self.line_bits = 8 * parameters.line_bytes
        self.parts = parameters.line_bytes // parameters.block_bytes
        super().__init__(
            {
                "tasks": In(stream.Signature(spill_task())),
                "reads": Out(stream.Signature(range(pair_count(self.words)))),
                "answer": In(1),
                "pair": In(line_pair(self.line_bits)),
                "blocks": Out(stream.Signature(write_block(parameters.block_bits))),
                "settled": In(1),
                "ended": Out(1),
                "fault": Out(Fault),
                "index": Out(INDEX_BITS),
                "line": Out(1),
            }
        )
        fields = FIELDS[Opcode.SPILL]
        self.task = Signal(spill_task())
        self.source = Signal(fields["source"].width + 1)
        """First line of the run."""
        self.behind = Signal(fields["source"].width + 2)
        """The line behind it."""
        self.place = Signal(fields["source"].width)
        self.runs_left = Signal(fields["runs"].width)
        self.more = Signal()
        """Some are left: a register, as the end of a command hangs on it."""
        self.lines_left = Signal(fields["lines"].width)
        self.run_address, self.address = (
            Signal(ADDRESS_BITS + 1, name=name) for name in ("run_address", "address")
        )
        """With a carry for what is beyond 32 bits."""
        self.inside = Signal(range(self.LINES + 1))
        """Lines that were granted and have not left."""
        self.cause = Signal(Fault)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = self._leave(m)
        granted = self.reads.valid & self.reads.ready
        with m.If(granted & ~left):
            m.d.sync += self.inside.eq(self.inside + 1)
        with m.Elif(left & ~granted):
            m.d.sync += self.inside.eq(self.inside - 1)
        m.d.comb += [
            self.reads.payload.eq(self.place[1:]),
            self.index.eq(self.task.index),
            self.line.eq(left),
        ]
        self._walk(m, granted)
        return m

    def _walk(self, m: Module, granted: Value) -> None:
        task, given = self.task, self.tasks.payload
        line_bytes = self.parameters.line_bytes
        stride = Cat(Const(0, (line_bytes - 1).bit_length()), task.run_stride)
        rests = (self.inside == 0) & self.settled
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.tasks.ready.eq(1)
                with m.If(self.tasks.valid):
                    m.d.sync += [
                        task.eq(given),
                        self.source.eq(given.source),
                        self.run_address.eq(given.address),
                        self.runs_left.eq(given.runs),
                    ]
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.sync += [
                    self.place.eq(self.source),
                    self.lines_left.eq(task.lines),
                    self.address.eq(self.run_address),
                    self.source.eq(self.source + task.source_run_stride),
                    self.run_address.eq(self.run_address + stride),
                    self.runs_left.eq(self.runs_left - 1),
                    self.more.eq(self.runs_left != 1),
                    self.behind.eq(self.source + task.lines),
                    self.cause.eq(Fault.ADDRESS),
                ]
                m.next = "CHECK"
            with m.State("CHECK"):
                m.next = "LINES"
                with m.If(self.behind > self.words):
                    m.next = "FAIL"
            with m.State("LINES"):
                beyond = self.address[-1]
                m.d.comb += self.reads.valid.eq((self.inside != self.LINES) & ~beyond)
                with m.If(granted):
                    m.d.sync += [
                        self.place.eq(self.place + 1),
                        self.address.eq(self.address + line_bytes),
                        self.lines_left.eq(self.lines_left - 1),
                    ]
                    with m.If(self.lines_left == 1):
                        m.next = "NEXT"
                with m.If(beyond):
                    m.d.sync += self.cause.eq(Fault.WINDOW)
                    m.next = "FAIL"
            with m.State("NEXT"):
                with m.If(self.more):
                    m.next = "RUN"
                with m.Elif(rests):
                    m.d.comb += self.ended.eq(1)
                    m.next = "IDLE"
            with m.State("FAIL"):
                with m.If(rests):
                    m.d.comb += self.fault.eq(self.cause)
                    m.next = "FAILED"
            with m.State("FAILED"):
                pass

    def _leave(self, m: Module) -> Value:
        """Lines become blocks; a line has left with its last one."""
        note = data.StructLayout({"odd": 1, "address": ADDRESS_BITS})
        line = data.StructLayout({"address": ADDRESS_BITS, "line": self.line_bits})
        # a queue's output register takes what is written a cycle later
        m.submodules.notes = notes = Fifo(note, self.LINES + Fifo.SLACK)
        m.submodules.lines = lines = Fifo(line, self.LINES + Fifo.SLACK)
        part = Signal(range(max(2, self.parts)))
        last = part == self.parts - 1
        taken = self.blocks.valid & self.blocks.ready
        head, block = lines.head, self.blocks.payload
        m.d.comb += [
            notes.w_en.eq(self.reads.valid & self.reads.ready),
            notes.w_data.eq(Cat(self.place[0], self.address[:ADDRESS_BITS])),
            notes.r_en.eq(self.answer),
            lines.w_en.eq(self.answer),
            lines.w_data.eq(
                Cat(
                    notes.head.address,
                    pair_mux(
                        m,
                        notes.head.odd,
                        self.pair[1],
                        self.pair[0],
                        name="line",
                        primitives=self.primitives,
                    ),
                )
            ),
            self.blocks.valid.eq(lines.r_rdy),
            block.address.eq(head.address + part * self.parameters.block_bytes),
            block.data.eq(head.line.word_select(part, self.parameters.block_bits)),
            lines.r_en.eq(taken & last),
        ]
        with m.If(taken):
            m.d.sync += part.eq(Mux(last, 0, part + 1))
        return taken & last
