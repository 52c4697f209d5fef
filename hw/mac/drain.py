"""The way out of a cluster: the captured values of one row of units, one after the other."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.flow.wide_mux import LUT_VALUES, MOST_VALUES, wide_mux

__all__ = ["RowDrain"]


class RowDrain(wiring.Component):
    """Registered multiplexer that steps through the units of a row.

    Members
    -------
    values : In(ArrayLayout(signed(bits), columns))
    start : In(1)
    result : Out(signed(bits))
        ``values[b]``, as it was a cycle before, ``2 + b`` cycles after ``start``

    Each row has its own counter, which drives one multiplexer only. After the last value ``result``
    is anything until the next ``start``.

    ``primitives`` : with instances of the wide multiplexers of the 7 series, for up to 8 columns;
    the same logic, for synthesis only.
    """

    def __init__(self, columns: int, bits: int, *, primitives: bool = False) -> None:
        self.columns = columns
        # Four values fit into a LUT, and one is a wire.
        self.primitives = primitives and LUT_VALUES < columns <= MOST_VALUES
        super().__init__(
            {
                "values": In(data.ArrayLayout(signed(bits), columns)),
                "start": In(1),
                "result": Out(signed(bits)),
            }
        )

    @property
    def name(self) -> str:
        """A module name with every parameter."""
        bits = len(self.result)
        return f"mac_drain_{self.columns}x{bits}{'_muxf7' if self.primitives else ''}"

    def elaborate(self, platform: object) -> Module:
        m = Module()
        column = Signal(range(self.columns), reset_less=True)
        result = Signal.like(self.result, reset_less=True)
        chosen = (
            wide_mux(m, list(self.values), column, name="values")
            if self.primitives
            else self.values[column]
        )
        m.d.sync += [column.eq(column + 1), result.eq(chosen)]
        with m.If(self.start):
            m.d.sync += column.eq(0)
        m.d.comb += self.result.eq(result)
        return m
