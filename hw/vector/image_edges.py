"""Which pixels of a tensor's blocks are inside their image."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import RowPixels
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.vector.line_layouts import tensor_shape

__all__ = ["ImageEdges"]

MOST_ROWS = 4
"""Of a block: `RowPixels.QUARTER`."""


class ImageEdges(wiring.Component):
    """The pixels that are beyond the last column or row of the image, where a block is at its end.

    Members
    -------
    shape : In(`tensor_shape`)       held
    beyond_x, beyond_y : Out(pixels) of a last tile of a row, of a last row of tiles
    contiguous : Out(1)              the pixels of a block have numbers in the image that follow
                                     each other, pixel 0 a multiple of a block's pixels

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
        with m.Switch(shape.row_pixels):
            for code, width in (
                (RowPixels.QUARTER, pixels // 4),
                (RowPixels.HALF, pixels // 2),
                (RowPixels.WHOLE, pixels),
            ):
                full = ~from_x[width - 1]
                with m.Case(code):
                    m.d.sync += [
                        self.beyond_x.eq(Cat(from_x[pixel % width] for pixel in range(pixels))),
                        self.beyond_y.eq(Cat(from_y[pixel // width] for pixel in range(pixels))),
                        self.contiguous.eq(full & ((shape.tiles_x == 1) | (width == pixels))),
                    ]
        return m
