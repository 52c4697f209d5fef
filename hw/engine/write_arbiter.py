"""Blocks of two stages in one stream to the writer."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.bursts import BURST_BYTES
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import write_block
from fractrain.hw.flow.pair_mux import pair_mux
from fractrain.hw.flow.tasks import INDEX_BITS

__all__ = ["WriteArbiter"]

STAGES = 2


class WriteArbiter(wiring.Component):
    """Blocks of either of two stages: a stage goes on until its burst is full or it has no block,
    then it is the other one's turn.

    Members
    -------
    i : In(stream of `write_block`), index : In(32), of the command that sends it; for each stage
    o : Out(stream of `write_block`), o_index : Out(32)

    Timing: no cycle; ``ready`` depends on the ``valid`` of the other stage. A block on offer stays
    on offer: whose turn it is changes with a transfer only, or while nothing is offered.
    """

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters, self.primitives = parameters, primitives
        block = stream.Signature(write_block(parameters.block_bits))
        super().__init__(
            {
                "i": In(block).array(STAGES),
                "index": In(INDEX_BITS).array(STAGES),
                "o": Out(block),
                "o_index": Out(INDEX_BITS),
            }
        )
        self.turn, self.held = Signal(name="turn"), Signal(name="held")
        """Which stage comes first; its block was on offer and was not taken."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        turn, held, chosen = self.turn, self.held, Signal()
        valid = Cat(each.valid for each in self.i)
        payloads = [each.payload.as_value() for each in reversed(list(self.i))]
        place = self.o.payload.address[
            (self.parameters.block_bytes - 1).bit_length() : (BURST_BYTES - 1).bit_length()
        ]
        m.d.comb += [
            # one on offer that was not taken stays
            chosen.eq(Mux(held | valid.bit_select(turn, 1), turn, ~turn)),
            self.o.valid.eq(valid.any()),
            self.o.payload.as_value().eq(
                pair_mux(m, chosen, *payloads, name="block", primitives=self.primitives)
            ),
            self.o_index.eq(Mux(chosen, self.index[1], self.index[0])),
            *(each.ready.eq(self.o.ready & (chosen == n)) for n, each in enumerate(self.i)),
        ]
        m.d.sync += held.eq(self.o.valid & ~self.o.ready)
        with m.If(self.o.valid):
            m.d.sync += turn.eq(chosen ^ (self.o.ready & place.all()))
        return m
