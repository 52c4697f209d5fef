"""Random bytes of lines, made ahead of them."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.numerics import RANDOM_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.random_bits import WORD_PIXELS
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.vector.random_bytes import RandomBytes, counter_layout

__all__ = ["ByteQueue"]


class ByteQueue(wiring.Component):
    """`RandomBytes` for lines of P pixels, which wait until the lines come.

    Members
    -------
    key : In(128), load : In(1), ready : Out(1)      as `RandomBytes`
    counters : In(stream of `counter_layout`)        of a pair of lines, while there is room
    claim : In(1), there : Out(1)    the lines of the oldest pair that is not claimed are going to
                                     come; they are there
    take : In(1), odd_block : In(1)  a line is rounded in this cycle, of a block with an odd number
    bytes : Out(ArrayLayout(8, P))   with it
    empty : Out(1)                   no counter is on its way, no byte waits

    Timing: pairs as `RandomBytes`; `PAIRS` of them between counter and last line.
    Errors: `ParameterError` for more than 32 pixels, or a number of them that does not divide 32.
    """

    PAIRS = 16

    def __init__(self, parameters: Parameters) -> None:
        self.pixels = parameters.array.rows
        if WORD_PIXELS % self.pixels or WORD_PIXELS // self.pixels > 2:
            allowed = f"{WORD_PIXELS // 2} or {WORD_PIXELS}"
            raise ParameterError("pixels that are rounded at random", self.pixels, allowed)
        self.source = RandomBytes()
        members = self.source.signature.members
        super().__init__(
            {
                **{name: members[name] for name in ("key", "load", "ready")},
                "counters": In(stream.Signature(counter_layout())),
                "claim": In(1),
                "there": Out(1),
                "take": In(1),
                "odd_block": In(1),
                "bytes": Out(data.ArrayLayout(RANDOM_BITS, self.pixels)),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.source = source = self.source
        m.submodules.waiting = waiting = Fifo(source.random.shape(), 2 * self.PAIRS + Fifo.SLACK)
        lines = Signal(range(2 * self.PAIRS + 1))  # counted, and not taken
        unclaimed = Signal(range(2 * self.PAIRS + 1))  # waiting lines that are not claimed
        room = Signal()
        begins = self.counters.valid & self.counters.ready
        comes = source.valid | delayed(m, source.valid, 1, name="odd", reset_less=False)
        m.d.comb += [
            source.key.eq(self.key),
            source.load.eq(self.load),
            self.ready.eq(source.ready),
            source.counters.payload.eq(self.counters.payload),
            source.counters.valid.eq(self.counters.valid & room),
            self.counters.ready.eq(source.counters.ready & room),
            waiting.w_en.eq(comes),
            waiting.w_data.eq(source.random.as_value()),
            waiting.r_en.eq(self.take),
            self.there.eq(unclaimed >= 2),
            self.empty.eq(lines == 0),
        ]
        m.d.sync += [
            lines.eq(lines + (begins << 1) - self.take),
            unclaimed.eq(unclaimed + comes - (self.claim << 1)),
            room.eq(lines + (begins << 1) <= 2 * self.PAIRS - 2),
        ]
        head, width = waiting.r_data, self.bytes.shape().size
        m.d.comb += self.bytes.eq(
            head if width == len(head) else Mux(self.odd_block, head[width:], head[:width])
        )
        return m
