"""New weights and momenta become blocks of memory."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import FIELDS, Opcode
from fractrain.hw.contract.numerics import MASTER_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import ADDRESS_BITS, write_block
from fractrain.hw.vector.update_layouts import half_block, half_words, together, word_weights

__all__ = ["UpdateBlocks"]


class UpdateBlocks(wiring.Component):
    """Of each half-block, some blocks of momenta, then the same of weights, until it is whole:
    `together` of them, so that memory is written in long bursts.

    Members
    -------
    halves : In(stream of `half_block`)
    velocity : In       of the command, while there are any
    entered : In(1), room : Out(1)     ``lanes`` weights are on their way here, only while ``room``
    momentum_valid, weight_valid : In(1), momenta, weights : In(lanes * 32)    they are here, in
                        order; no back-pressure
    blocks : Out(stream of `write_block`)
    busy : Out(1)       blocks are missing

    Timing: ``lanes`` weights every other cycle, if blocks are taken.
    Addresses: of what has been read, so they have 32 bits.
    """

    PLACES = 32
    """Of ``lanes`` weights: more than are on their way while as many blocks as go together are
    gathered."""

    def __init__(self, parameters: Parameters, lanes: int) -> None:
        self.parameters, self.lanes = parameters, lanes
        bits = lanes * MASTER_BITS
        super().__init__(
            {
                "halves": In(stream.Signature(half_block(parameters))),
                "velocity": In(FIELDS[Opcode.UPDATE]["velocity"].width),
                "entered": In(1),
                "room": Out(1, init=1),
                "momentum_valid": In(1),
                "momenta": In(bits),
                "weight_valid": In(1),
                "weights": In(bits),
                "blocks": Out(stream.Signature(write_block(parameters.block_bits))),
                "busy": Out(1),
            }
        )
        count = together(parameters)
        self.number, self.of_weights = Signal(range(max(2, count))), Signal()
        """Of a block among those that go together; they are weights."""
        self.run = Signal(range(half_words(parameters) // count))
        self.weight_address, self.momentum_address = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self.lanes * MASTER_BITS
        m.submodules.momenta = momenta = Fifo(bits, self.PLACES + Fifo.SLACK)
        m.submodules.weights = weights = Fifo(bits, self.PLACES + Fifo.SLACK)
        m.d.comb += [
            momenta.w_en.eq(self.momentum_valid),
            momenta.w_data.eq(self.momenta),
            weights.w_en.eq(self.weight_valid),
            weights.w_data.eq(self.weights),
        ]
        parts = word_weights(self.parameters) // self.lanes
        part, of_weights = Signal(range(max(2, parts))), self.of_weights
        at_last = part == parts - 1
        first = Signal(max(1, (parts - 1) * bits), reset_less=True)
        head, there = Mux(of_weights, weights.r_data, momenta.r_data), Signal()
        takes, sent = Signal(), Signal()
        m.d.comb += [
            there.eq(Mux(of_weights, weights.r_rdy, momenta.r_rdy) & self.busy),
            takes.eq(there & (~at_last | self.blocks.ready)),
            momenta.r_en.eq(takes & ~of_weights),
            weights.r_en.eq(takes & of_weights),
            self.blocks.valid.eq(there & at_last),
            self.blocks.payload.data.eq(Cat(first, head) if parts > 1 else head),
            sent.eq(takes & at_last),
        ]
        with m.If(takes):
            if parts > 1:
                m.d.sync += first.eq(Cat(first, head)[bits:])
            m.d.sync += part.eq(Mux(at_last, 0, part + 1))
        self._walk(m, sent)
        # weights leave last
        inside = Signal(range(self.PLACES + 1))
        following = inside + self.entered - weights.r_en
        m.d.sync += [inside.eq(following), self.room.eq(following < self.PLACES)]
        return m

    def _walk(self, m: Module, sent: Signal) -> None:
        """Addresses, and how many are left."""
        p = self.parameters
        count, size = together(p), p.block_bytes
        number, run, of_weights = self.number, self.run, self.of_weights
        weights, momenta = self.weight_address, self.momentum_address
        half = self.halves.payload
        m.d.comb += [
            self.halves.ready.eq(~self.busy),
            self.blocks.payload.address.eq(Mux(of_weights, weights, momenta)),
        ]
        with m.If(~self.busy):
            m.d.sync += [
                self.busy.eq(self.halves.valid),
                weights.eq(half.address),
                momenta.eq(half.address + self.velocity),
                run.eq(0),
            ]
        with m.Elif(sent):
            at_last = number == count - 1
            m.d.sync += number.eq(Mux(at_last, 0, number + 1))
            with m.If(of_weights):
                m.d.sync += weights.eq(weights + size)
            with m.Else():
                m.d.sync += momenta.eq(momenta + size)
            with m.If(at_last):
                m.d.sync += of_weights.eq(~of_weights)
                with m.If(of_weights):
                    m.d.sync += [run.eq(run + 1), self.busy.eq(run != half_words(p) // count - 1)]
