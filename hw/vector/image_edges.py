"""Which pixels of a tensor's blocks are inside their image."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import RowPixels
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.vector.line_layouts import tensor_shape

__all__ = ["ImageEdges"]

MOST_ROWS = 4
"""Of a block: `RowPixels.QUARTER`."""

MOST_PART = 2
"""Rows whose pixels have random bytes are filled to 1/2^k, k up to that."""


class ImageEdges(wiring.Component):
    """The pixels that are beyond the last column or row of the image, where a block is at its end.

    Members
    -------
    shape : In(`tensor_shape`)       held
    beyond_x, beyond_y : Out(pixels) of a last tile of a row, of a last row of tiles
    contiguous : Out(1)              the pixels of a block that are in the image have numbers that
                                     follow each other, pixel 0 a multiple of how many there are
    part : Out                       k: these are 1/2^k of the block, as far as there are rows

    Timing: two cycles after ``shape``.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.pixels = parameters.array.rows
        super().__init__(
            {
                "shape": In(tensor_shape()),
                "beyond_x": Out(self.pixels),
                "beyond_y": Out(self.pixels),
                "contiguous": Out(1),
                "part": Out(range(MOST_PART + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shape, pixels = self.shape, self.pixels
        from_x, from_y = Signal(pixels, reset_less=True), Signal(MOST_ROWS, reset_less=True)
        m.d.sync += [
            from_x.eq(Cat(shape.valid_x <= place for place in range(pixels))),
            from_y.eq(Cat(shape.valid_y <= place for place in range(MOST_ROWS))),
        ]
        widths = {code: pixels >> (RowPixels.WHOLE - code) for code in RowPixels}
        parts = {width: Signal(MOST_PART, name=f"parts_{width}") for width in widths.values()}
        for width, each in parts.items():
            filled = (shape.valid_x == width >> part for part in range(1, MOST_PART + 1))
            m.d.sync += each.eq(Cat(filled))
        with m.Switch(shape.row_pixels):
            for code, width in widths.items():
                full, known = ~from_x[width - 1], parts[width]
                with m.Case(code):
                    m.d.sync += [
                        self.beyond_x.eq(Cat(from_x[pixel % width] for pixel in range(pixels))),
                        self.beyond_y.eq(Cat(from_y[pixel // width] for pixel in range(pixels))),
                        self.contiguous.eq(
                            Mux(shape.tiles_x == 1, full | known.any(), full & (width == pixels))
                        ),
                        self.part.eq(Mux(full, 0, Mux(known[0], 1, MOST_PART))),
                    ]
        return m
