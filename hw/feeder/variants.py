"""What becomes of a block of pixels on the way into the window (`Variant`)."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import VARIANT_BITS, RowPixels, Variant
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.window import QUARTERS, SLOT_COLUMNS

__all__ = ["SHOWN", "BlockVariants"]

SHOWN = SLOT_COLUMNS
"""Variants of a block at a time: one for each column of slots."""


class BlockVariants(wiring.Component):
    """Three variants of a word at a time.

    Members
    -------
    word : In(8 * word_bytes)
    variants : In            the three `Variant` s
    zero : In(1)             zeros instead
    row_pixels : In          width of the window's rows (`RowPixels`)
    advance : In(3)          of each variant; all are equal
    results : Out(ArrayLayout(8 * word_bytes, 3))

    Timing: ``results`` are those of the last ``advance``, ``latency_cycles`` before. Of FROM_LEFT
    only the first, of FROM_RIGHT only the last pixel of each quarter is defined.
    """

    latency_cycles = 1

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        width = 8 * parameters.word_bytes
        super().__init__(
            {
                "word": In(width),
                "variants": In(VARIANT_BITS * SHOWN),
                "zero": In(1),
                "row_pixels": In(RowPixels),
                "advance": In(SHOWN),
                "results": Out(data.ArrayLayout(width, SHOWN)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for column in range(SHOWN):
            result = Signal(len(self.word), name=f"result_{column}", reset_less=True)
            m.d.comb += self.results[column].eq(result)
            with m.If(self.advance[column]):
                with m.If(self.zero):
                    m.d.sync += result.eq(0)
                with m.Else():
                    variant = self.variants.word_select(column, VARIANT_BITS)
                    self._choose(m, result, variant)
        return m

    def _choose(
        self, m: Module, result: Signal, variant: Value, among: Sequence[Variant] = tuple(Variant)
    ) -> None:
        """A choice of two for every bit of the number, the highest first.

        Synthesis then sees multiplexers: two LUTs for a bit with six sources.
        """
        if len(among) == 1:
            m.d.sync += result.eq(self._variant(among[0]))
            return
        half = len(among) // 2
        with m.If(variant[half.bit_length() - 1]):
            self._choose(m, result, variant, among[half:])
        with m.Else():
            self._choose(m, result, variant, among[:half])

    def _variant(self, variant: Variant) -> Value:
        pixels = self.parameters.array.rows
        everywhere, quarter = range(pixels), pixels // QUARTERS
        half = [i % (pixels // 2) for i in everywhere]
        odd, odd_right = [2 * i + 1 for i in half], [max(2 * i - 1, 0) for i in half]
        # Pixel 0 has none to its left and the last none to its right: the masks say so.
        sources: dict[Variant, Sequence[int]] = {
            Variant.STRAIGHT: everywhere,
            Variant.RIGHT: [max(i - 1, 0) for i in everywhere],
            Variant.LEFT: [min(i + 1, pixels - 1) for i in everywhere],
            Variant.EVEN: [2 * i for i in half],
            Variant.ODD: odd,
            Variant.ODD_RIGHT: odd_right,
            # Unused pixels take what costs nothing: numbers 6 and 7 differ from 4 and 5 in a bit.
            Variant.FROM_LEFT: [odd[i] if i % quarter else pixels - 1 for i in everywhere],
            Variant.FROM_RIGHT: [odd_right[i] if (i + 1) % quarter else 0 for i in everywhere],
        }
        value = self._gather(sources[variant])
        begins = self._row_begins()
        if variant == Variant.RIGHT:
            return value & ~self._at(begins, 0)
        if variant == Variant.LEFT:
            return value & ~self._at([*begins[1:], begins[0]], quarter - 1)
        if variant == Variant.ODD_RIGHT:
            # the second half is a copy of the first
            return value & ~self._at([begins[0], begins[1]] * 2, 0)
        return value

    def _row_begins(self) -> list[Value]:
        """For each quarter, whether a row of the window begins with it."""
        quarter = self.row_pixels == RowPixels.QUARTER
        half = quarter | (self.row_pixels == RowPixels.HALF)
        return [Const(1), quarter, half, quarter]

    def _gather(self, sources: Sequence[int]) -> Value:
        """The pixels ``sources`` of every plane, runs of neighbours in one piece."""
        channels, block = self.parameters.block.channels, self.parameters.block_bits
        runs: list[list[int]] = []
        for source in sources:
            if runs and runs[-1][1] == source:
                runs[-1][1] = source + 1
            else:
                runs.append([source, source + 1])
        return Cat(
            self.word[plane + first * channels : plane + end * channels]
            for plane in range(0, len(self.word), block)
            for first, end in runs
        )

    def _at(self, quarters: Sequence[Value], pixel: int) -> Value:
        """Mask with the bits of pixel ``pixel`` of those quarters, in every plane."""
        channels, block = self.parameters.block.channels, self.parameters.block_bits
        quarter = block // QUARTERS
        before = Const(0, pixel * channels)
        after = Const(0, quarter - (pixel + 1) * channels)
        mask = Cat(Cat(before, each.replicate(channels), after) for each in quarters)
        return mask.replicate(len(self.word) // block)
