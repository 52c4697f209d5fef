"""The shape table: pixels and strides of the tensors of a program."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import SHAPES
from fractrain.hw.flow.ram_style import DISTRIBUTED
from fractrain.hw.vector.line_layouts import tensor_shape

__all__ = ["ShapeTable"]


class ShapeTable(wiring.Component):
    """`SHAPES` entries of `tensor_shape`.

    Members
    -------
    write : In({valid, entry, content})
    entry : In
    shape : Out(`tensor_shape`), written : Out(1)     of ``entry``, in the same cycle

    Timing: an entry is there the cycle after it was written, until reset.
    """

    def __init__(self) -> None:
        entry = range(SHAPES)
        write = data.StructLayout({"valid": 1, "entry": entry, "content": tensor_shape()})
        super().__init__(
            {
                "write": In(write),
                "entry": In(entry),
                "shape": Out(tensor_shape()),
                "written": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=tensor_shape().size, depth=SHAPES, init=[], attrs=DISTRIBUTED
        )
        port, read = memory.write_port(), memory.read_port(domain="comb")
        written = Signal(SHAPES)
        m.d.comb += [
            port.en.eq(self.write.valid),
            port.addr.eq(self.write.entry),
            port.data.eq(self.write.content.as_value()),
            read.addr.eq(self.entry),
            self.shape.eq(read.data),
            self.written.eq(written.bit_select(self.entry, 1)),
        ]
        with m.If(self.write.valid):
            m.d.sync += written.bit_select(self.write.entry, 1).eq(1)
        return m
