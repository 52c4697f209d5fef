"""The table that a reciprocal root begins with (docs/numerics.md, Reciprocal root)."""

from math import isqrt

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.vector.lookup import lookup

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
        entry = Signal.like(self.entry, reset_less=True)
        # not a block RAM, which would need another register behind it
        m.d.sync += entry.eq(lookup(entries(), numerics.TABLE_BITS, self.index))
        m.d.comb += self.entry.eq(entry)
        return m
