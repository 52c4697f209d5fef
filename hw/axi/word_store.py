"""Beats become words, which wait until it is their turn."""

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.axi.bursts import BEAT_BYTES, BurstShape
from hw.axi.occupancy import Occupancy

__all__ = ["WordStore"]


class WordStore(wiring.Component):
    """Assembles 64-bit beats to words in a memory of ``places`` words, first in, first out.

    Members
    -------
    beat, data, error : In    a beat of the next word (only if there is a place for it) and
                              whether its answer was an error
    ready : Out(1)            a word is complete
    word, bad : Out           the oldest one; an answer to one of its beats was an error
    take : In(1)              next word (only while ``ready``)

    Timing: a word is ready the cycle after its last beat, and can be taken in every cycle. LUT
    memory, so that each beat is written in place and the word is read at once.
    """

    def __init__(self, shape: BurstShape, places: int):
        self.shape, self.places = shape, places
        super().__init__(
            {
                "beat": In(1),
                "data": In(8 * BEAT_BYTES),
                "error": In(1),
                "ready": Out(1),
                "word": Out(8 * shape.item_bytes),
                "bad": Out(1),
                "take": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beats, bits = self.shape.item_beats, 8 * BEAT_BYTES
        depth = 1 << max(1, (self.places - 1).bit_length())
        m.submodules.words = words = memory.Memory(shape=bits * beats, depth=depth, init=[])
        m.submodules.marks = marks = memory.Memory(shape=1, depth=depth, init=[])
        m.submodules.complete = complete = Occupancy(depth)
        write, mark = words.write_port(granularity=bits), marks.write_port()
        read, read_mark = words.read_port(domain="comb"), marks.read_port(domain="comb")
        index, at_last = Signal(range(max(2, beats))), Signal()
        spoiled = Signal()
        m.d.comb += [
            at_last.eq(self.beat & (index == beats - 1)),
            write.en.eq(self.beat << index),
            write.data.eq(self.data.replicate(beats)),
            mark.en.eq(at_last),
            mark.data.eq(self.error | spoiled),
            mark.addr.eq(write.addr),
            complete.enter.eq(at_last),
            complete.leave.eq(self.take),
            read_mark.addr.eq(read.addr),
            self.word.eq(read.data),
            self.bad.eq(read_mark.data),
            self.ready.eq(~complete.empty),
        ]
        with m.If(self.beat):
            m.d.sync += [index.eq(index + 1), spoiled.eq(self.error | spoiled)]
        with m.If(at_last):
            m.d.sync += [index.eq(0), spoiled.eq(0), write.addr.eq(write.addr + 1)]
        with m.If(self.take):
            m.d.sync += read.addr.eq(read.addr + 1)
        return m
