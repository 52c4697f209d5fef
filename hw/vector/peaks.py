"""The peak memory: what the ranges of the next step are made of."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.memory.block_memory import BlockMemory
from fractrain.hw.vector.memories import vector_parameters

__all__ = ["PEAK_BITS", "PeakMemory", "peak_read", "peak_value"]

PEAK_BITS = 64
"""Of a peak, unsigned."""
USERS = 2
"""RESULT and VECTOR."""


def peak_value(parameters: Parameters) -> data.StructLayout:
    """``value`` for the peak at ``address``: it becomes that if that is more; with ``adds`` it
    grows by it (Σs² of an UPDATE), modulo 2^64."""
    words = vector_parameters(parameters).peak_words
    return data.StructLayout({"address": range(words), "value": PEAK_BITS, "adds": 1})


def peak_read(parameters: Parameters) -> data.StructLayout:
    """The peak at ``address``, which becomes 0 if it is to ``clear``."""
    return data.StructLayout(
        {"address": range(vector_parameters(parameters).peak_words), "clear": 1}
    )


class PeakMemory(wiring.Component):
    """``peak_words`` peaks.

    Members
    -------
    values : In(stream of `peak_value`), of each user    the result stage (NARROW, JOIN), and the
                                  vector stage (FORM, CARRY, APPLY, UPDATE)
    reads : In(stream of `peak_read`)       of the vector stage (REPORT)
    answer : Out(1), data : Out(64)         what was read, `READ_CYCLES` after its transfer; stays
                                            until the next answer

    Timing: one of them in `INTERVAL_CYCLES`, the result stage first, reads last; what is taken
    later finds what was taken before. A command brings one value, or two, so nobody waits for long.
    Errors: addresses beyond the memory wrap: users check them.
    """

    READ_CYCLES = 2
    INTERVAL_CYCLES = 4
    """Address, word, result, and the write."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.memory = BlockMemory(PEAK_BITS, vector_parameters(parameters).peak_words)
        super().__init__(
            {
                "values": In(stream.Signature(peak_value(parameters))).array(USERS),
                "reads": In(stream.Signature(peak_read(parameters))),
                "answer": Out(1),
                "data": Out(PEAK_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = self.memory
        of_result, of_vector = self.values
        free = Signal()
        taken = free & (of_result.valid | of_vector.valid | self.reads.valid)
        value = Signal(peak_value(self.parameters), reset_less=True)
        is_read, clear = Signal(reset_less=True), Signal(reset_less=True)
        # where the one at work is: its word is being read, is there, is being written
        place = Signal(self.INTERVAL_CYCLES - 1)
        m.d.comb += [
            free.eq(~place.any()),
            of_result.ready.eq(free),
            of_vector.ready.eq(free & ~of_result.valid),
            self.reads.ready.eq(free & ~of_result.valid & ~of_vector.valid),
        ]
        m.d.sync += place.eq(place << 1 | taken)
        with m.If(free):
            m.d.sync += [
                value.eq(Mux(of_result.valid, of_result.payload, of_vector.payload)),
                is_read.eq(~of_result.valid & ~of_vector.valid),
                clear.eq(self.reads.payload.clear),
            ]
            with m.If(~of_result.valid & ~of_vector.valid):
                m.d.sync += value.address.eq(self.reads.payload.address)
        new = Signal(PEAK_BITS, reset_less=True)
        m.d.comb += [
            memory.read_enable.eq(place[0]),
            memory.read_address.eq(value.address),
            memory.write_enable.eq(place[2] & (~is_read | clear)),
            memory.write_address.eq(value.address),
            memory.write_data.eq(new),
            self.data.eq(memory.read_data),
            self.answer.eq(place[1] & is_read),
        ]
        old = memory.read_data
        with m.If(is_read):
            m.d.sync += new.eq(0)
        with m.Elif(value.adds):
            m.d.sync += new.eq(old + value.value)
        with m.Else():
            m.d.sync += new.eq(Mux(value.value > old, value.value, old))
        return m
