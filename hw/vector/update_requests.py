"""Which words of memory an UPDATE needs: weights and momenta in turn."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import FIELDS, Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import ADDRESS_BITS, read_request
from fractrain.hw.flow.tasks import INDEX_BITS
from fractrain.hw.vector.update_layouts import half_block, half_words, together

__all__ = ["UpdateRequests"]


class UpdateRequests(wiring.Component):
    """Of each half-block, some words of weights, then the same of momenta, until it is whole.

    Members
    -------
    halves : In(stream of `half_block`)
    velocity, index : In      of the command, while there are any
    runs : Out(stream of `read_request`)     `together` words each

    Timing: a run a cycle. Runs beyond 32 bits do not wrap: such a run, with the place in a word
    that it would have, reaches beyond the end of the address space, and the reader refuses it.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        super().__init__(
            {
                "halves": In(stream.Signature(half_block(parameters))),
                "velocity": In(FIELDS[Opcode.UPDATE]["velocity"].width),
                "index": In(INDEX_BITS),
                "runs": Out(stream.Signature(read_request())),
            }
        )
        self.busy, self.second = Signal(), Signal()
        self.number = Signal(range(half_words(parameters) // together(parameters)))
        self.weights, self.momenta = Signal(ADDRESS_BITS + 1), Signal(ADDRESS_BITS + 2)
        """Addresses, with carries."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = together(self.parameters)
        size = self.parameters.word_bytes
        inside = (size - 1).bit_length()
        busy, second, number = self.busy, self.second, self.number
        weights, momenta = self.weights, self.momenta
        half, run = self.halves.payload, self.runs.payload
        address = Mux(second, momenta, weights)
        last = Cat(address[:inside], Const(-1, ADDRESS_BITS - inside))
        m.d.comb += [
            self.halves.ready.eq(~busy),
            self.runs.valid.eq(busy),
            run.address.eq(Mux(address[ADDRESS_BITS:].any(), last, address)),
            # of one word at the end, a run of two ends beyond
            run.words.eq(max(2, words)),
            run.index.eq(self.index),
        ]
        with m.If(~busy):
            m.d.sync += [
                busy.eq(self.halves.valid),
                weights.eq(half.address),
                momenta.eq(half.address + self.velocity),
            ]
        with m.Elif(self.runs.ready):
            m.d.sync += second.eq(~second)
            with m.If(second):
                m.d.sync += [
                    weights.eq(weights + words * size),
                    momenta.eq(momenta + words * size),
                    number.eq(number + 1),
                    busy.eq(number != half_words(self.parameters) // words - 1),
                ]
        return m
