"""The table that a reciprocal root begins with (docs/numerics.md, Reciprocal root)."""

from math import isqrt

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.flow.ram_style import DISTRIBUTED

__all__ = ["ReciprocalTable", "entries"]


def entries() -> list[int]:
    """⌊2^28 / √((i + ½)·2^15)⌋; 0 for i < 128, which no radicand has for its upper bits."""
    shift = numerics.RADICAND_BITS - numerics.TABLE_INDEX_BITS
    first, count = 1 << numerics.TABLE_INDEX_BITS - 2, 1 << numerics.TABLE_INDEX_BITS
    square = 1 << 2 * numerics.TABLE_FRACTION
    return [0] * first + [isqrt(square // ((2 * i + 1) << shift - 1)) for i in range(first, count)]


class ReciprocalTable(wiring.Component):
    """``entry`` of ``index``, the upper bits of the radicand, a cycle later."""

    latency_cycles = 1

    def __init__(self) -> None:
        super().__init__(
            {"index": In(numerics.TABLE_INDEX_BITS), "entry": Out(numerics.TABLE_BITS)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=numerics.TABLE_BITS,
            depth=1 << numerics.TABLE_INDEX_BITS,
            init=entries(),
            attrs=DISTRIBUTED,
        )
        read = memory.read_port(domain="comb")
        entry = Signal.like(self.entry, reset_less=True)
        m.d.comb += [read.addr.eq(self.index), self.entry.eq(entry)]
        m.d.sync += entry.eq(read.data)
        return m
