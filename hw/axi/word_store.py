"""Beats become words, which wait until it is their turn."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.occupancy import Occupancy
from fractrain.hw.contract.bursts import BEAT_BYTES
from fractrain.hw.flow.ram_style import DISTRIBUTED

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
    memories, one for each beat of a word, so that a beat is written in place and the word is read
    at once.
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
        place, oldest = Signal(range(depth)), Signal(range(depth))
        index, at_last = Signal(range(max(2, beats))), Signal()
        spoiled = Signal()
        m.submodules.complete = complete = Occupancy(depth)

        def column(name: str, width: int, enable: Value, value: Value) -> Value:
            """A memory beside the others: what it has of the oldest word."""
            m.submodules[name] = part = memory.Memory(
                shape=width, depth=depth, init=[], attrs=DISTRIBUTED
            )
            write, read = part.write_port(), part.read_port(domain="comb")
            m.d.comb += [
                write.en.eq(enable),
                write.addr.eq(place),
                write.data.eq(value),
                read.addr.eq(oldest),
            ]
            return read.data

        word = [
            column(f"beat_{number}", bits, self.beat & (index == number), self.data)
            for number in range(beats)
        ]
        bad = column("marks", 1, at_last, self.error | spoiled)
        m.d.comb += [
            at_last.eq(self.beat & (index == beats - 1)),
            complete.enter.eq(at_last),
            complete.leave.eq(self.take),
            self.word.eq(Cat(word)),
            self.bad.eq(bad),
            self.ready.eq(~complete.empty),
        ]
        with m.If(self.beat):
            m.d.sync += [index.eq(index + 1), spoiled.eq(self.error | spoiled)]
        with m.If(at_last):
            m.d.sync += [index.eq(0), spoiled.eq(0), place.eq(place + 1)]
        with m.If(self.take):
            m.d.sync += oldest.eq(oldest + 1)
        return m
