"""Random bytes become the noise that an error is rounded with."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics

__all__ = ["ERROR_WIDTHS", "LOWEST", "SPAN", "Noise"]

NOISE_BITS = numerics.RANDOM_BITS + 1
LOWEST = numerics.ERROR_WORD - numerics.MAX_ERROR_BITS - NOISE_BITS
"""Place of the lowest bit of the noise of the widest errors."""
ERROR_WIDTHS = range(1, numerics.MAX_ERROR_BITS + 1)
SPAN = NOISE_BITS + max(ERROR_WIDTHS) - min(ERROR_WIDTHS)
"""Places of the noise of all errors."""


class Noise(wiring.Component):
    """(2u + 1) · 2^(F−9) of ``lanes`` random bytes u, F = 32 − b: in units of W, half of 1/256 of a
    step of e above u/256 (docs/numerics.md, Errors are rounded at random).

    Members
    -------
    bits : In, a cycle ahead     b, 1 .. 12; or 0 for ``other`` in the place of noise
    random : In(ArrayLayout(8, lanes))
    other : In(unsigned), a cycle after the bytes
    noise : Out(ArrayLayout(unsigned, lanes))    from `LOWEST` on: below are zeros

    Timing: ``latency_cycles``, a beat a cycle. Flow-through, no back-pressure.
    """

    latency_cycles = 2

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(
            {
                "bits": In(range(max(ERROR_WIDTHS) + 1)),
                "random": In(data.ArrayLayout(unsigned(numerics.RANDOM_BITS), lanes)),
                "other": In(SPAN),
                "noise": Out(data.ArrayLayout(unsigned(SPAN), lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shift, coarse = Signal(4, reset_less=True), Signal(2, reset_less=True)
        m.d.sync += [shift.eq(max(ERROR_WIDTHS) - self.bits), coarse.eq(shift[2:])]
        for lane in range(self.lanes):
            byte, noise = self.random[lane], Signal.like(self.noise[lane], reset_less=True)
            fine = Signal(NOISE_BITS + 3, name=f"fine_{lane}", reset_less=True)
            m.d.sync += [
                fine.eq(_shifted(Cat(Const(1, 1), byte), shift[:2], 1)),
                # a fourth digit is that of no bits
                noise.eq(_shifted(fine, coarse, 4, self.other)),
            ]
            m.d.comb += self.noise[lane].eq(noise)
        return m


def _shifted(value: Value, digit: Value, unit: int, last: Value | None = None) -> Value:
    """``value`` · 2^(unit · digit), a digit of two bits; ``last`` in the place of the last one."""
    one, two, three, four = (value << unit * count for count in range(4))
    four = four if last is None else last
    return Mux(digit[1], Mux(digit[0], four, three), Mux(digit[0], two, one))
