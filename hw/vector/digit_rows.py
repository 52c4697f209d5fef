"""The digits of a line as a row of the corner turn."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.copies import copies, copy_to
from fractrain.hw.vector.digit_sets import Kind, digit_sets

__all__ = ["DigitRows"]

COPY_PIXELS = 4
"""Pixels that one copy of the set's number chooses for."""


class DigitRows(wiring.Component):
    """Puts the digits of a set of `digit_sets` in the places of a row, 0 outside the image.

    Members
    -------
    set_next : In        the set, a cycle ahead of
    inside : In(pixels)                          pixels of the image
    activations, residual, normalized, errors : In(ArrayLayout(…, pixels)), mask : In(pixels)
                         of `VectorLanes`, all at the top of their words
    rows : Out(ArrayLayout(channels, pixels))    a cycle later
    """

    def __init__(self, parameters: Parameters) -> None:
        pixels, channels = parameters.array.rows, parameters.block.channels
        self.pixels, self.channels = pixels, channels
        self.digits = digit_sets(channels)

        def line(bits: int) -> data.ArrayLayout:
            return data.ArrayLayout(bits, pixels)

        super().__init__(
            {
                "set_next": In(range(len(self.digits))),
                "inside": In(pixels),
                "activations": In(line(numerics.MAX_ACTIVATION_BITS)),
                "residual": In(line(numerics.MIN_RESIDUAL_BITS)),
                "normalized": In(line(numerics.LIFTED_BITS)),
                "errors": In(line(numerics.MAX_ERROR_BITS)),
                "mask": In(pixels),
                "rows": Out(data.ArrayLayout(channels, pixels)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = -(-self.pixels // COPY_PIXELS)
        sets = copies(count, name="set", width=len(self.set_next), reset_less=True)
        copy_to(m, sets, self.set_next)
        for pixel in range(self.pixels):
            row = Signal(self.channels, name=f"row_{pixel}", reset_less=True)
            with m.If(self.inside[pixel]):
                with m.Switch(sets[pixel // COPY_PIXELS]):
                    for number, digits in enumerate(self.digits):
                        with m.Case(number):
                            bits = (self._digit(pixel, each) for each in digits)
                            m.d.sync += row.eq(Cat(*bits))
            with m.Else():
                m.d.sync += row.eq(0)
            m.d.comb += self.rows[pixel].eq(row)
        return m

    def _digit(self, pixel: int, digit: tuple[Kind, int] | None) -> Value:
        """A digit of a pixel; nobody reads a place without one."""
        if digit is None:
            return self.mask[pixel]
        kind, number = digit
        if kind is Kind.MASK:
            return self.mask[pixel]
        word = {
            Kind.NORMALIZED: self.normalized,
            Kind.RESIDUAL: self.residual,
            Kind.ACTIVATION: self.activations,
            Kind.ERROR: self.errors,
        }[kind][pixel]
        return word[len(word) - 1 - number]
