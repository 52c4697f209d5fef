"""The way out of a cluster: the captured values of one row of units, one after the other."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RowDrain"]


class RowDrain(wiring.Component):
    """Registered multiplexer that steps through the units of a row.

    Members
    -------
    values : In(ArrayLayout(signed(bits), columns))
    start : In(1)
    result : Out(signed(bits))
        ``values[b]``, as it was a cycle before, ``2 + b`` cycles after ``start``

    The counter is here, once per row, so that it drives one multiplexer only. After the last
    value ``result`` is anything until the next ``start``.
    """

    def __init__(self, columns: int, bits: int) -> None:
        self.columns = columns
        super().__init__(
            {
                "values": In(data.ArrayLayout(signed(bits), columns)),
                "start": In(1),
                "result": Out(signed(bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        column = Signal(range(self.columns), reset_less=True)
        result = Signal.like(self.result, reset_less=True)
        m.d.sync += [column.eq(column + 1), result.eq(self.values[column])]
        with m.If(self.start):
            m.d.sync += column.eq(0)
        m.d.comb += self.result.eq(result)
        return m
