"""Words of memory that are requested before they are needed."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import read_request

__all__ = ["ReadAhead"]


class ReadAhead(wiring.Component):
    """A queue for the words of requests, and requests that leave only while it has room for theirs:
    so no word ever waits in front of the words of others.

    Members
    -------
    runs : In(stream of `read_request`)        of 1 .. `PLACES` words; one on offer stays
    requests : Out(stream of `read_request`), words : In(stream of words)    as the reader has them;
                                               ``words.ready`` is always 1
    o : Out(stream of words)

    Timing: two cycles from ``words`` to ``o``, a word per cycle. A request leaves a cycle after its
    run is there and has room.
    """

    PLACES = 32

    def __init__(self, parameters: Parameters) -> None:
        self.word_bits = 8 * parameters.word_bytes
        super().__init__(
            {
                "runs": In(stream.Signature(read_request())),
                "requests": Out(stream.Signature(read_request())),
                "words": In(stream.Signature(self.word_bits)),
                "o": Out(stream.Signature(self.word_bits)),
            }
        )
        self.room = Signal(range(self.PLACES + 1), init=self.PLACES)
        """Places that no word has, and none that is on its way will have."""
        self.left, self.fits = Signal(), Signal()
        # the output register takes what is written a cycle later
        self.fifo = Fifo(self.word_bits, self.PLACES + Fifo.SLACK)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fifo = fifo = self.fifo
        wiring.connect(m, fifo.r_stream, wiring.flipped(self.o))
        run = self.runs.payload
        words, left = run.words[: len(self.room)], self.left
        taken = self.requests.valid & self.requests.ready
        # a register: from who makes runs to who counts places it would be too far
        m.d.sync += self.fits.eq(self.runs.valid & ~taken & (words <= self.room))
        m.d.comb += [
            self.requests.payload.eq(run),
            self.requests.valid.eq(self.fits),
            self.runs.ready.eq(taken),
            fifo.w_en.eq(self.words.valid),
            fifo.w_data.eq(self.words.payload),
            self.words.ready.eq(1),
        ]
        # a cycle late: the path from who takes the words ends here
        m.d.sync += left.eq(self.o.valid & self.o.ready)
        with m.If(taken):
            m.d.sync += self.room.eq(self.room - words + left)
        with m.Elif(left):
            m.d.sync += self.room.eq(self.room + 1)
        return m
