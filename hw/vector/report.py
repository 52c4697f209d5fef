"""REPORT: peaks to memory."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import FIELDS, Fault, Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import ADDRESS_BITS, write_block
from fractrain.hw.flow.tasks import INDEX_BITS
from fractrain.hw.vector.memories import vector_parameters
from fractrain.hw.vector.memory_tasks import report_task
from fractrain.hw.vector.peaks import PEAK_BITS, peak_read

__all__ = ["Report"]


class Report(wiring.Component):
    """Carries out REPORT: block after block from ``address`` on, of peaks from ``first`` on, 8
    bytes each; each is cleared as it is read.

    Members
    -------
    tasks : In(stream of `report_task`)
    peak_reads : Out(stream of `peak_read`), peak_answer : In(1), peak : In(64)
                            peak memory: what was read is there with its answer
    blocks : Out(stream of `write_block`), settled : In(1)    as `WriteBehind` has them
    ended : Out(1)          the command has ended: memory has acknowledged all
    fault : Out(Fault)      for a cycle, then nothing until reset: ADDRESS if there are fewer peaks,
                            before any is read; WINDOW for an address beyond 32 bits
    index : Out             of the command at work

    Timing: a peak at a time, as there are a hundred in a step.
    Errors: `ParameterError` for a machine without a vector unit.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.words = vector_parameters(parameters).peak_words
        self.each = parameters.block_bits // PEAK_BITS
        """Peaks of a block."""
        super().__init__(
            {
                "tasks": In(stream.Signature(report_task())),
                "peak_reads": Out(stream.Signature(peak_read(parameters))),
                "peak_answer": In(1),
                "peak": In(PEAK_BITS),
                "blocks": Out(stream.Signature(write_block(parameters.block_bits))),
                "settled": In(1),
                "ended": Out(1),
                "fault": Out(Fault),
                "index": Out(INDEX_BITS),
            }
        )
        fields = FIELDS[Opcode.REPORT]
        self.place = Signal(fields["first"].width + 1)
        self.last = Signal(fields["blocks"].width + self.each.bit_length() + 1)
        """Place behind the last peak."""
        self.blocks_left = Signal(fields["blocks"].width)
        self.address = Signal(ADDRESS_BITS + 1)
        """Of the block, with a carry for what is beyond 32 bits."""
        self.cause = Signal(Fault)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        given, block = self.tasks.payload, self.blocks.payload
        count, none_left = Signal(range(self.each + 1)), Signal()
        m.d.comb += [
            self.peak_reads.payload.address.eq(self.place),
            self.peak_reads.payload.clear.eq(1),
            block.address.eq(self.address),
        ]
        data = Signal(self.parameters.block_bits, reset_less=True)
        m.d.comb += block.data.eq(data)
        with m.If(self.peak_answer):
            m.d.sync += data.eq(Cat(data[PEAK_BITS:], self.peak))
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.tasks.ready.eq(1)
                m.d.sync += [
                    self.place.eq(given.first),
                    self.last.eq(given.first + given.blocks * self.each),
                    self.blocks_left.eq(given.blocks),
                    self.address.eq(given.address),
                    self.cause.eq(Fault.ADDRESS),
                    count.eq(0),
                ]
                with m.If(self.tasks.valid):
                    m.d.sync += self.index.eq(given.index)
                    m.next = "CHECK"
            with m.State("CHECK"):
                m.next = "READ"
                with m.If(self.last > self.words):
                    m.next = "FAIL"
            with m.State("READ"):
                m.d.comb += self.peak_reads.valid.eq(1)
                with m.If(self.peak_reads.ready):
                    m.d.sync += [self.place.eq(self.place + 1), count.eq(count + 1)]
                    m.next = "WAIT"
            with m.State("WAIT"):
                with m.If(self.peak_answer):
                    m.next = "READ"
                    with m.If(count == self.each):
                        m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.blocks.valid.eq(1)
                with m.If(self.blocks.ready):
                    m.d.sync += [
                        count.eq(0),
                        self.address.eq(self.address + self.parameters.block_bytes),
                        self.blocks_left.eq(self.blocks_left - 1),
                        none_left.eq(self.blocks_left == 1),
                    ]
                    m.next = "NEXT"
            with m.State("NEXT"):
                with m.If(none_left):
                    with m.If(self.settled):
                        m.d.comb += self.ended.eq(1)
                        m.next = "IDLE"
                with m.Elif(self.address[-1]):
                    m.d.sync += self.cause.eq(Fault.WINDOW)
                    m.next = "FAIL"
                with m.Else():
                    m.next = "READ"
            with m.State("FAIL"):
                with m.If(self.settled):
                    m.d.comb += self.fault.eq(self.cause)
                    m.next = "FAILED"
            with m.State("FAILED"):
                pass
        return m
