"""Requests for words of memory that follow each other."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import ADDRESS_BITS, read_request
from fractrain.hw.flow.tasks import INDEX_BITS

__all__ = ["RunWalker"]


class RunWalker(wiring.Component):
    """``count`` runs of `WORDS` words from ``address`` on.

    Members
    -------
    begin : In(1), address, count, index : In    from the next cycle on; only while not ``busy``
    runs : Out(stream of `read_request`)
    busy : Out(1)       there are more

    Timing: a run a cycle. A run beyond 32 bits does not wrap: it is one that reaches beyond the end
    of the address space, which the reader refuses.
    """

    WORDS = 8

    def __init__(self, parameters: Parameters, count_bits: int) -> None:
        self.word_bytes = parameters.word_bytes
        super().__init__(
            {
                "begin": In(1),
                "address": In(ADDRESS_BITS),
                "count": In(count_bits),
                "index": In(INDEX_BITS),
                "runs": Out(stream.Signature(read_request())),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        address, left = Signal(ADDRESS_BITS + 1), Signal.like(self.count)
        there = Signal()  # some are left: a register, as the choice of a user follows
        run = self.runs.payload
        beyond = address[-1]
        m.d.comb += [
            run.address.eq(Mux(beyond, (1 << ADDRESS_BITS) - self.word_bytes, address)),
            run.words.eq(self.WORDS),
            run.index.eq(self.index),
            self.runs.valid.eq(there),
            self.busy.eq(self.runs.valid),
        ]
        with m.If(self.begin):
            m.d.sync += [
                address.eq(self.address),
                left.eq(self.count),
                there.eq(self.count != 0),
            ]
        with m.Elif(self.runs.valid & self.runs.ready):
            m.d.sync += [
                address.eq(address + self.WORDS * self.word_bytes),
                left.eq(left - 1),
                there.eq(left != 1),
            ]
        return m
