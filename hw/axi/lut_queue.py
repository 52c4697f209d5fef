"""A queue in LUT memory."""

from amaranth.hdl import Module, Shape
from amaranth.lib import memory, stream, wiring
from amaranth.lib.data import Layout
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.occupancy import Occupancy
from fractrain.hw.flow.ram_style import DISTRIBUTED

__all__ = ["LutQueue"]


class LutQueue(wiring.Component):
    """First in, first out, at most ``depth`` items.

    Not Amaranth's ``SyncFIFO``: there both sides wait for a comparison of the level, and here for
    registers (`Occupancy`), as the paths through the ports are long.

    Members
    -------
    write, item : In      only while there is room
    room : Out(1)         a register
    o : Out(stream)

    Timing: an item is offered from the cycle after it was written on; one item per cycle.
    """

    def __init__(self, layout: Layout | Shape, depth: int):
        self.layout = layout
        self.depth = max(2, depth)
        super().__init__(
            {
                "write": In(1),
                "item": In(layout),
                "room": Out(1, init=1),
                "o": Out(stream.Signature(layout)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        places = 1 << (self.depth - 1).bit_length()  # so that its addresses wrap
        m.submodules.memory = items = memory.Memory(
            shape=self.layout, depth=places, init=[], attrs=DISTRIBUTED
        )
        m.submodules.inside = inside = Occupancy(self.depth)
        write_port, read_port = items.write_port(), items.read_port(domain="comb")
        m.d.comb += [
            inside.enter.eq(self.write),
            inside.leave.eq(self.o.valid & self.o.ready),
            write_port.en.eq(self.write),
            write_port.data.eq(self.item),
            self.room.eq(inside.room),
            self.o.valid.eq(~inside.empty),
            self.o.payload.eq(read_port.data),
        ]
        with m.If(self.write):
            m.d.sync += write_port.addr.eq(write_port.addr + 1)
        with m.If(inside.leave):
            m.d.sync += read_port.addr.eq(read_port.addr + 1)
        return m
