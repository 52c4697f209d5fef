"""Words from memory, each to its place on chip."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.fetch.places import load_place
from fractrain.hw.flow.layouts import column_write, plane_write

__all__ = ["WordWriter"]


class WordWriter(wiring.Component):
    """Brings words and their places together.

    Members
    -------
    places : In(stream of `load_place`), words : In(stream of words)
    plane_write : Out(`plane_write`), column_write : Out(`column_write`)
    taken : Out(1)      a word is taken in this cycle
    ends : Out(1)       ... or none was to come, and it was the last of its task
    fault : Out(Fault)      ADDRESS for a cycle: a word belongs beyond its memory. Neither it
                        nor any word after it is taken
    halt : In(1)        take no more words

    Timing: a word per cycle, or per two cycles if both of its halves are kept; its writes come one
    cycle after it was taken, the first of two halves in the cycle itself.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        super().__init__(
            {
                "places": In(stream.Signature(load_place(parameters))),
                "words": In(stream.Signature(8 * parameters.word_bytes)),
                "plane_write": Out(plane_write(parameters)),
                "column_write": Out(column_write(parameters)),
                "taken": Out(1),
                "ends": Out(1),
                "fault": Out(Fault),
                "halt": In(1),
            }
        )
        self.second = Signal()
        self.failed = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        place, comes = self.places.payload, self.places.valid
        whole, writing, refused = (Signal(name=name) for name in ("whole", "writing", "refused"))
        m.d.comb += [
            whole.eq(self.second | ~place.both),
            writing.eq(comes & place.takes & self.words.valid & ~self.halt),
            refused.eq(comes & place.refused & ~self.halt),
            self.words.ready.eq(comes & place.takes & whole & ~self.halt),
            # a refused place stays and blocks all after it
            self.places.ready.eq(
                ((place.takes & self.words.valid & whole) | place.skip) & ~self.halt
            ),
            self.taken.eq(writing & whole),
            self.ends.eq(comes & self.places.ready & place.last),
        ]
        with m.If(writing):
            m.d.sync += self.second.eq(~whole)
        with m.If(refused):
            m.d.sync += self.failed.eq(1)
        m.d.sync += [
            self.fault.eq(Mux(refused & ~self.failed, Fault.ADDRESS, Fault.NONE)),
            self.plane_write.valid.eq(writing & ~place.columns),
            self.column_write.valid.eq(writing & (place.low | place.high)),
        ]
        planes = self._planes(m)
        # ``valid`` says whether everything has come together
        with m.If(self.words.valid & ~place.columns):
            m.d.sync += self.plane_write.address.eq(place.address)
            m.d.sync += self.plane_write.data.eq(Cat(planes))
        with m.If(self.words.valid & place.columns):
            self._write_half(m, place, planes)
        return m

    def _planes(self, m: Module) -> list[Value]:
        """The planes of the word; absent ones are zeros."""
        spatial, size = self.parameters.array.spatial_bits, self.parameters.block_bits
        word = self.words.payload
        if spatial > 1:  # else every digit has its only plane
            word = Signal.like(word, name="word")
            present = Cat(plane.replicate(size) for plane in self.places.payload.planes)
            m.d.comb += word.eq(self.words.payload & present)
        return [word[s * size : (s + 1) * size] for s in range(spatial)]

    def _write_half(self, m: Module, place: data.View, planes: list[Value]) -> None:
        half, size = Signal(), self.parameters.block_bits // 2
        m.d.comb += half.eq(self.second | ~place.low)
        m.d.sync += self.column_write.address.eq(place.address)
        for number, group in enumerate((place.low_group, place.high_group)):
            with m.If(half == number):
                m.d.sync += self.column_write.group.eq(group)
                halves = [plane[number * size : (number + 1) * size] for plane in planes]
                with m.If(place.transposed):
                    m.d.sync += self.column_write.data.eq(Cat(map(self._transposed, halves)))
                with m.Else():
                    m.d.sync += self.column_write.data.eq(Cat(halves))

    def _transposed(self, half: Value) -> Value:
        """Bit ``pixel*C + channel`` to bit ``channel*C + pixel``."""
        channels = self.parameters.block.channels
        return Cat(half[channel::channels] for channel in range(channels))
