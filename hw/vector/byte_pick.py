"""Random bytes of a word, each to its pixel of a block."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import RowPixels
from fractrain.hw.contract.numerics import RANDOM_BITS
from fractrain.hw.contract.random_bits import WORD_PIXELS
from fractrain.hw.vector.image_edges import MOST_PART

__all__ = ["BytePick"]


class BytePick(wiring.Component):
    """A block has P / 2^k pixels inside the image, of each of its rows the first W / 2^k of W. They
    follow each other in the image, so their bytes are a run of a word, number ``start``; each byte
    goes to its pixel.

    Members
    -------
    row_pixels : In(RowPixels), part : In     W, and k; held
    start : In                                a cycle ahead of
    word : In(ArrayLayout(8, 32))
    bytes : Out(ArrayLayout(8, P))            anything outside the image

    Timing: ``bytes`` with their word, which makes APPLY no slower: a line a cycle waits for bytes.
    """

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self.least = pixels >> MOST_PART
        """Bytes of the shortest run: all begin at multiples of it."""
        super().__init__(
            {
                "row_pixels": In(RowPixels),
                "part": In(range(MOST_PART + 1)),
                "start": In(range(WORD_PIXELS // self.least)),
                "word": In(data.ArrayLayout(RANDOM_BITS, WORD_PIXELS)),
                "bytes": Out(data.ArrayLayout(RANDOM_BITS, pixels)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        size = RANDOM_BITS * self.least
        first = Signal(self.start.shape(), reset_less=True)
        with m.Switch(self.part):
            for part in range(MOST_PART + 1):
                with m.Case(part):
                    m.d.sync += first.eq(self.start << MOST_PART - part)
        run = Signal(self.bytes.shape())
        # round the word, though nothing from there is wanted
        twice = Cat(self.word.as_value(), self.word.as_value()[: len(run.as_value())])
        choices = [
            twice[size * number :][: len(run.as_value())] for number in range(1 << len(first))
        ]
        with m.Switch(first):
            for number, choice in enumerate(choices):
                with m.Case(number):
                    m.d.comb += run.eq(choice)
        m.d.comb += self.bytes.eq(run)
        with m.Switch(Cat(self.row_pixels, self.part)):
            for code in RowPixels:
                width = self.pixels >> (RowPixels.WHOLE - code)
                for part in range(1, MOST_PART + 1):
                    with m.Case(code | part << len(self.row_pixels)):
                        for pixel in range(self.pixels):
                            y, x = divmod(pixel, width)
                            if x < width >> part:
                                byte = run[y * (width >> part) + x]
                                m.d.comb += self.bytes[pixel].eq(byte)
        return m
