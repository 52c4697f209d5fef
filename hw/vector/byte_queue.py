"""Random bytes of lines, made ahead of them."""

from amaranth.hdl import Module, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.numerics import RANDOM_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.random_bits import WORD_PIXELS
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.vector.byte_pick import BytePick
from fractrain.hw.vector.image_edges import MOST_PART
from fractrain.hw.vector.random_bytes import counter_layout

__all__ = ["ByteQueue", "line_counter"]


def line_counter(parameters: Parameters) -> data.StructLayout:
    """A counter, and which run of the word is that of a block's pixels."""
    runs = WORD_PIXELS // (parameters.array.rows >> MOST_PART)
    return data.StructLayout({**counter_layout().members, "start": range(runs)})


class ByteQueue(wiring.Component):
    """Bytes of a `RandomBytes` for lines of P pixels, which wait until the lines come.

    Members
    -------
    counters : Out(stream of `counter_layout`), random_valid : In(1), random : In    of a
                                     `RandomBytes`, whose ``valid`` is ``random_valid``
    row_pixels, part : In            as `BytePick`; held
    pairs : In(stream of `line_counter`)             of a pair of lines, while there is room
    claim : In(1), there : Out(1)    the lines of the oldest pair that is not claimed are going to
                                     come; they are there
    take : In(1)                     a line is rounded in this cycle
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
        self.pick = BytePick(self.pixels)
        super().__init__(
            {
                "counters": Out(stream.Signature(counter_layout())),
                "random_valid": In(1),
                "random": In(data.ArrayLayout(RANDOM_BITS, WORD_PIXELS)),
                **{name: self.pick.signature.members[name] for name in ("row_pixels", "part")},
                "pairs": In(stream.Signature(line_counter(parameters))),
                "claim": In(1),
                "there": Out(1),
                "take": In(1),
                "bytes": Out(data.ArrayLayout(RANDOM_BITS, self.pixels)),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.pick = pick = self.pick
        m.submodules.waiting = waiting = Fifo(self.bytes.shape(), 2 * self.PAIRS + Fifo.SLACK)
        lines = Signal(range(2 * self.PAIRS + 1))  # counted, and not taken
        unclaimed = Signal(range(2 * self.PAIRS + 1))  # waiting lines that are not claimed
        room = Signal()
        begins = self.pairs.valid & self.pairs.ready
        even = self.random_valid
        comes = even | delayed(m, even, 1, name="odd", reset_less=False)
        self._pick(m, begins, even)
        counter = self.counters.payload
        m.d.comb += [
            *(counter[name].eq(self.pairs.payload[name]) for name in counter_layout().members),
            self.counters.valid.eq(self.pairs.valid & room),
            self.pairs.ready.eq(self.counters.ready & room),
            waiting.w_en.eq(comes),
            waiting.w_data.eq(pick.bytes.as_value()),
            self.bytes.eq(waiting.head),
            waiting.r_en.eq(self.take),
            self.there.eq(unclaimed >= 2),
            self.empty.eq(lines == 0),
        ]
        m.d.sync += [
            lines.eq(lines + (begins << 1) - self.take),
            unclaimed.eq(unclaimed + comes - (self.claim << 1)),
            room.eq(lines + (begins << 1) <= 2 * self.PAIRS - 2),
        ]
        return m

    def _pick(self, m: Module, begins: Value, even: Value) -> None:
        """Where the bytes of both channels of a counter begin: a cycle ahead of them, so what stays
        until the even one's is that of the odd one, too."""
        pick, start = self.pick, self.pairs.payload.start
        m.submodules.starts = starts = Fifo(unsigned(len(start)), self.PAIRS + Fifo.SLACK)
        m.d.comb += [
            starts.w_en.eq(begins),
            starts.w_data.eq(start),
            starts.r_en.eq(even),
            pick.word.eq(self.random),
            pick.row_pixels.eq(self.row_pixels),
            pick.part.eq(self.part),
            pick.start.eq(starts.head),
        ]
