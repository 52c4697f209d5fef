"""The blocks of a port's bursts, until they have left as beats."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.occupancy import Occupancy
from fractrain.hw.contract.bursts import BEAT_BYTES
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.ram_style import DISTRIBUTED

__all__ = ["BlockStore"]


class BlockStore(wiring.Component):
    """A memory of ``places`` blocks, written whole and read beat by beat, first in, first out.

    Members
    -------
    write, block : In(1), In     only while there is a place
    room : Out(1)                ``margin`` more blocks may come; counts writes a cycle late
    beat : Out(64)               the next beat
    take : In(1)                 take it
    at_last : Out(1)             it is the last of its block

    Timing: a block's first beat is there from the cycle after it was written on; one beat per
    cycle. LUT memory.
    """

    def __init__(self, shape: BurstShape, places: int, margin: int):
        if shape.item_beats < 2:
            raise ParameterError("item_bytes", shape.item_bytes, "at least 16, two beats")
        self.shape, self.places, self.margin = shape, places, margin
        super().__init__(
            {
                "write": In(1),
                "block": In(8 * shape.item_bytes),
                "room": Out(1, init=1),
                "beat": Out(8 * BEAT_BYTES),
                "take": In(1),
                "at_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beats, bits = self.shape.item_beats, 8 * BEAT_BYTES
        depth = 1 << max(1, (self.places - 1).bit_length())
        m.submodules.blocks = blocks = memory.Memory(
            shape=bits * beats, depth=depth, init=[], attrs=DISTRIBUTED
        )
        m.submodules.used = used = Occupancy(self.places, self.margin)
        write, read = blocks.write_port(), blocks.read_port(domain="comb")
        index = Signal(range(beats))
        written = Signal()
        m.d.sync += written.eq(self.write)
        m.d.comb += [
            write.en.eq(self.write),
            write.data.eq(self.block),
            self.room.eq(used.room),
            used.enter.eq(written),
            used.leave.eq(self.take & self.at_last),
            self.beat.eq(Array(read.data.word_select(i, bits) for i in range(beats))[index]),
        ]
        with m.If(self.write):
            m.d.sync += write.addr.eq(write.addr + 1)
        with m.If(self.take):
            m.d.sync += [index.eq(index + 1), self.at_last.eq(index == beats - 2)]
            with m.If(self.at_last):
                m.d.sync += [index.eq(0), read.addr.eq(read.addr + 1)]
        return m
