"""Pixels of an interleaved tile among those of a tensor's lines.

The pixel at place x of a quarter of the tile's line (a half, if there are two lines) goes to place
2x + ``odd`` of a half of the tensor's line (of the whole).
"""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.vector.result_layouts import MOST_PARTS

__all__ = ["LineGather", "LineScatter", "spread_layout"]


def spread_layout() -> data.StructLayout:
    """How a line of a tile lies in lines of a tensor.

    interleaved : else as it is
    quarters : it is spread among four lines, else among two
    odd : it goes to odd places
    upper : with ``quarters``, to the upper half of a line
    part : which of the lines
    """
    return data.StructLayout(
        {"interleaved": 1, "quarters": 1, "odd": 1, "upper": 1, "part": range(MOST_PARTS)}
    )


class LineGather(wiring.Component):
    """Of a line of a tensor, the pixels at those of the tile.

    Members
    -------
    spread : In(`spread_layout`)
    line : In(ArrayLayout(bits, pixels)), gathered : Out(the same)

    Timing: combinational. Pixels that are not of this part are anything. A LUT and a half a bit:
    the even or the odd pixels first, then those of a half of the line.
    """

    def __init__(self, pixels: int, bits: int) -> None:
        self.pixels = pixels
        layout = data.ArrayLayout(bits, pixels)
        super().__init__(
            {"spread": In(spread_layout()), "line": In(layout), "gathered": Out(layout)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        quarter = self.pixels // MOST_PARTS
        bits = len(Value.cast(self.line[0]))
        places = Signal(data.ArrayLayout(bits, self.pixels // 2))
        m.d.comb += [
            places[number].eq(
                Mux(self.spread.odd, self.line[2 * number + 1], self.line[2 * number])
            )
            for number in range(self.pixels // 2)
        ]
        for pixel in range(self.pixels):
            upper = Mux(self.spread.quarters, self.spread.upper, pixel // quarter % 2)
            lower = pixel % quarter
            spread = Mux(upper, places[quarter + lower], places[lower])
            m.d.comb += self.gathered[pixel].eq(
                Mux(self.spread.interleaved, spread, self.line[pixel])
            )
        return m


class LineScatter(wiring.Component):
    """A line of a tensor with pixels of the tile in their places.

    Members
    -------
    spread : In(`spread_layout`), active : In(pixels)     the tile's pixels that are of this part
                                                          and in the image
    line : In(ArrayLayout(bits, pixels)), old : In(the same)     of the tile, of the tensor
    scattered : Out(the same)    ``old`` where no active pixel goes; not interleaved, ``line``

    Timing: combinational.
    """

    def __init__(self, pixels: int, bits: int) -> None:
        self.pixels = pixels
        layout = data.ArrayLayout(bits, pixels)
        super().__init__(
            {
                "spread": In(spread_layout()),
                "active": In(pixels),
                "line": In(layout),
                "old": In(layout),
                "scattered": Out(layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spread = self.spread
        half, quarter = self.pixels // 2, self.pixels // MOST_PARTS
        # which quarter of the tile's line goes to each half of the tensor's
        sources = [Signal(range(MOST_PARTS), name=f"source_{upper}") for upper in range(2)]
        meant = [Signal(name=f"meant_{upper}") for upper in range(2)]
        for upper in range(2):
            m.d.comb += [
                sources[upper].eq(Mux(spread.quarters, spread.part, spread.part << 1 | upper)),
                meant[upper].eq(~spread.quarters | (spread.upper == upper)),
            ]
        for pixel in range(self.pixels):
            upper, place = pixel // half, pixel % half // 2
            froms = [quarter * number + place for number in range(MOST_PARTS)]
            chosen = _one_of([self.line[each] for each in froms], sources[upper])
            written = _one_of([self.active[each] for each in froms], sources[upper])
            written = written & meant[upper] & (spread.odd == pixel % 2)
            m.d.comb += self.scattered[pixel].eq(
                Mux(
                    spread.interleaved,
                    Mux(written, chosen, self.old[pixel]),
                    self.line[pixel],
                )
            )
        return m


def _one_of(ways: list[Value], select: Value) -> Value:
    """``ways[select]`` of four."""
    return Mux(select[1], Mux(select[0], ways[3], ways[2]), Mux(select[0], ways[1], ways[0]))
