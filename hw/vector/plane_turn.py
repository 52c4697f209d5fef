"""The corner turn: numbers come channel by channel, planes of all channels leave."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.copies import copies, copy_to
from fractrain.hw.flow.pair_mux import pair_mux

__all__ = ["PlaneTurn"]

COPY_PIXELS = 2
"""Pixels that one copy of the enable moves."""


class PlaneTurn(wiring.Component):
    """Transposes blocks of ``channels`` rows by ``channels`` digits, of ``pixels`` pixels each.

    Members
    -------
    comes : In(1)        a row is here in the next cycle
    rows : In(ArrayLayout(channels, pixels))     digit d of the pixels of row c, the block's channel
    place : Out          c of the row that is here, or comes next
    word : Out(pixels · channels)    while row c is here: digit c of the block before, of pixel m,
                         channel k at bit m · channels + k

    Timing: a row a cycle; between rows any number of cycles. `latency_rows` rows after its own row
    c digit c leaves, so the last block leaves as others, or rows of anything, push it out.

    A network of log₂(channels) stages, each of which exchanges a bit of the digit's number with one
    of the row's: for a distance of d half of the digits wait d rows, pairs are crossed or not, the
    other half waits d rows. That is a look-up table for two digits a stage, and channels − 1
    registers a digit; a register more stands in the middle, so that two stages follow each other at
    most. Registers are what the chip has: a multiplexer of as many digits takes twice the tables.
    Errors: `ParameterError` unless ``channels`` is a power of two from 4 on, and there are pixels.
    """

    def __init__(self, pixels: int, channels: int, *, primitives: bool = False) -> None:
        if channels < 4 or channels & (channels - 1):
            raise ParameterError(
                "channels of a block to turn", channels, "a power of two, 4 or more"
            )
        if pixels < 1:
            raise ParameterError("pixels of a block to turn", pixels, "at least 1")
        self.pixels, self.channels, self.primitives = pixels, channels, primitives
        super().__init__(
            {
                "comes": In(1),
                "rows": In(data.ArrayLayout(channels, pixels)),
                "place": Out(range(channels)),
                "word": Out(pixels * channels),
            }
        )

    @property
    def latency_rows(self) -> int:
        return self.channels

    @property
    def _stages(self) -> list[int]:
        """Bits that are exchanged."""
        return list(reversed(range((self.channels - 1).bit_length())))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        here = copies(1 + -(-self.pixels // COPY_PIXELS), name="here")
        copy_to(m, here, self.comes)
        with m.If(here[0]):
            m.d.sync += self.place.eq(self.place + 1)
        crossed = self._crossings(m, here[0])
        digits = []
        for pixel in range(self.pixels):
            copy = 1 + pixel // COPY_PIXELS
            select = [each[copy] for each in crossed]
            digits.append(self._pixel(m, pixel, here[copy], select))
        m.d.comb += self.word.eq(Cat(digits))
        return m

    def _crossings(self, m: Module, moves: Value) -> list[list[Signal]]:
        """Of each stage, whether its pairs are crossed, with a register for each copy: a bit of the
        number of the row that is there."""
        late, found = 0, []
        for number, bit in enumerate(self._stages):
            row = self.place - late
            following = Mux(moves, row + 1, row)[bit]
            # as of a row 0 that comes first
            start = -late >> bit & 1
            count = 1 + -(-self.pixels // COPY_PIXELS)
            each = copies(count, name=f"crossed_{bit}", init=start)
            copy_to(m, each, following)
            found.append(each)
            late += (1 << bit) + self._registered(number)
        return found

    def _registered(self, number: int) -> bool:
        """Whether a register follows the stage."""
        return number == (len(self._stages) - 1) // 2

    def _pixel(self, m: Module, pixel: int, moves: Value, crossed: list[Signal]) -> Value:
        lanes: list[Value] = [self.rows[pixel][digit] for digit in range(self.channels)]
        for number, (bit, cross) in enumerate(zip(self._stages, crossed, strict=True)):
            lanes = self._stage(m, f"pixel_{pixel}_{bit}", lanes, 1 << bit, moves, cross)
            if self._registered(number):
                lanes = list(self._later(m, Cat(lanes), 1, moves, f"pixel_{pixel}_middle"))
        return Cat(lanes)

    def _stage(
        self, m: Module, name: str, lanes: list[Value], distance: int, moves: Value, cross: Value
    ) -> list[Value]:
        lower = [number for number in range(self.channels) if not number & distance]
        early = Cat(lanes[number] for number in lower)
        late = self._later(
            m, Cat(lanes[number + distance] for number in lower), distance, moves, f"{name}_before"
        )
        both = Cat(late, early), Cat(early, late)
        exchanged = pair_mux(m, cross, *both, name=f"{name}_pairs", primitives=self.primitives)
        straight, turned = exchanged[: len(lower)], exchanged[len(lower) :]
        waited = self._later(m, straight, distance, moves, f"{name}_behind")
        found: list[Value] = [waited[0]] * self.channels
        for place, number in enumerate(lower):
            found[number], found[number + distance] = waited[place], turned[place]
        return found

    @staticmethod
    def _later(m: Module, value: Value, rows: int, moves: Value, name: str) -> Value:
        """``value`` as it was so many rows ago."""
        for row in range(rows):
            # with reset: no shift registers, which take look-up tables
            later = Signal(len(value), name=f"{name}_{row}")
            with m.If(moves):
                m.d.sync += later.eq(value)
            value = later
        return value
