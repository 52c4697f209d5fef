"""A memory in block RAM, as wide as it must be."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.ram_style import BLOCK

__all__ = ["LARGEST_ARRAY_BITS", "BlockMemory", "array_widths"]

LARGEST_ARRAY_BITS = 1_000_000
"""Vivado refuses larger arrays ([Synth 8-4556])."""

RAM_BITS = 72
"""Widest word of a RAMB36E1 (UG473)."""


def array_widths(width: int, depth: int) -> list[int]:
    """Widths of arrays that together hold ``depth`` words of ``width`` bits, none of them too
    large; all but the last fill their block RAMs."""
    largest = LARGEST_ARRAY_BITS // depth
    if largest > RAM_BITS:
        largest -= largest % RAM_BITS
    whole, rest = divmod(width, largest)
    return [largest] * whole + ([rest] if rest else [])


class BlockMemory(wiring.Component):
    """``depth`` words of ``width`` bits, one write and one read port.

    Members
    -------
    write_enable, write_address, write_data : In
    read_enable, read_address : In
    read_data : Out(width)

    With ``read_back`` the write port reads, too, where it does not write: both ports of a block RAM
    have their address then, and no third is needed.

    back_enable : In(1)     not with ``write_enable``; at ``write_address``
    back_data : Out(width)

    Timing: ``read_data`` follows ``read_enable`` by a cycle and holds, as does ``back_data``. A
    word read in the cycle in which it is written comes out old. What was never written reads as
    anything.
    """

    def __init__(self, width: int, depth: int, *, read_back: bool = False) -> None:
        if depth > LARGEST_ARRAY_BITS:
            raise ParameterError("words of a memory", depth, f"at most {LARGEST_ARRAY_BITS:,}")
        self.width, self.depth, self.read_back = width, depth, read_back
        super().__init__(
            {
                "write_enable": In(1),
                "write_address": In(range(depth)),
                "write_data": In(width),
                "read_enable": In(1),
                "read_address": In(range(depth)),
                "read_data": Out(width),
                **({"back_enable": In(1), "back_data": Out(width)} if read_back else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        start = 0
        for number, width in enumerate(array_widths(self.width, self.depth)):
            array = Memory(shape=width, depth=self.depth, init=[], attrs=BLOCK)
            m.submodules[f"array_{number}"] = array
            write, read = array.write_port(), array.read_port()
            bits = slice(start, start + width)
            m.d.comb += [
                write.en.eq(self.write_enable),
                write.addr.eq(self.write_address),
                write.data.eq(self.write_data[bits]),
                read.en.eq(self.read_enable),
                read.addr.eq(self.read_address),
                self.read_data[bits].eq(read.data),
            ]
            if self.read_back:
                back = array.read_port()
                m.d.comb += [
                    back.en.eq(self.back_enable),
                    back.addr.eq(self.write_address),
                    self.back_data[bits].eq(back.data),
                ]
            start += width
        return m
