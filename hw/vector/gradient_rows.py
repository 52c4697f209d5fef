"""Sums of the gradient memory, in the order of the weights."""

from amaranth.hdl import Array, Cat, Module, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import FIELDS, Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.vector.update_layouts import half_block, half_words, word_weights

__all__ = ["GradientRows"]


class GradientRows(wiring.Component):
    """The sums of half-blocks, as many at a time as a word of memory has weights: filter f has
    column f of the tile, channel c of the second half-block row C + c.

    Members
    -------
    halves : In(stream of `half_block`)
    start : In          first beat of the tile, while there are any
    beat_reads : Out(stream of a beat's address), beat_answer : In(1), beat : In(the sums of a beat)
                        gradient memory: a beat that was granted comes with its answer, in order,
                        after any time
    o : Out(stream of ArrayLayout(signed(48), weights of a word))

    Timing: a beat is read for each word, `WORDS` ahead at most, so the memory's port has to be free
    in one cycle of eight only, in whichever it is.
    """

    WORDS = 4

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.weights = word_weights(parameters)
        words = parameters.buffers.gradient_words
        super().__init__(
            {
                "halves": In(stream.Signature(half_block(parameters))),
                "start": In(FIELDS[Opcode.UPDATE]["gradient_address"].width),
                "beat_reads": Out(stream.Signature(range(words))),
                "beat_answer": In(1),
                "beat": In(data.ArrayLayout(signed(SUM_BITS), parameters.results_per_beat)),
                "o": Out(stream.Signature(data.ArrayLayout(signed(SUM_BITS), self.weights))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = self.parameters
        parts = p.block.channels // self.weights
        """Words of a filter."""
        note = data.StructLayout(
            {
                "part": (parts - 1).bit_length(),
                "cluster": (p.column_clusters - 1).bit_length(),
                "second": 1,
            }
        )
        m.submodules.notes = notes = Fifo(note, self.WORDS + Fifo.SLACK)
        m.submodules.sums = sums = Fifo(self.o.payload.shape(), self.WORDS + Fifo.SLACK)
        wiring.connect(m, sums.r_stream, wiring.flipped(self.o))
        busy, second = Signal(), Signal()
        word = Signal(range(half_words(p)))
        left = Signal(range(self.WORDS + 1), init=self.WORDS)
        goes = Signal()
        part = word[: len(notes.head.part)]
        column = word[len(part) :]
        beats = (p.beats_per_tile - 1).bit_length()
        m.d.comb += [
            self.halves.ready.eq(~busy),
            self.beat_reads.valid.eq(busy & (left != 0)),
            self.beat_reads.payload.eq(self.start + column[:beats]),
            goes.eq(self.beat_reads.valid & self.beat_reads.ready),
            notes.w_en.eq(goes),
            notes.w_data.eq(Cat(part, column[beats:], second)),
            notes.r_en.eq(self.beat_answer),
            sums.w_en.eq(self.beat_answer),
            sums.w_data.eq(self._chosen(notes.head, parts)),
        ]
        m.d.sync += left.eq(left - goes + (self.o.valid & self.o.ready))
        with m.If(~busy):
            m.d.sync += [busy.eq(self.halves.valid), second.eq(self.halves.payload.second)]
        with m.Elif(goes):
            m.d.sync += [word.eq(word + 1), busy.eq(word != half_words(p) - 1)]
        return m

    def _chosen(self, note: data.View, parts: int) -> Value:
        """The sums of some rows in a column: of a beat, number ``row * clusters + cluster``."""
        clusters = self.parameters.column_clusters
        choices = []
        for number in range(2 * clusters * parts):
            part, rest = number % parts, number // parts
            cluster, second = rest % clusters, rest // clusters
            first = second * self.parameters.block.channels + part * self.weights
            rows = range(first, first + self.weights)
            choices.append(Cat(self.beat[row * clusters + cluster] for row in rows))
        return Array(choices)[note.as_value()]
