"""Errors of another tensor, brought to the scale of this one."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.records import SHIFT_BITS
from fractrain.hw.vector.dsp_slice import Base, SlicePlan, dsp_slice, steer
from fractrain.hw.vector.words import bits_of, shape_of

__all__ = ["Mover"]


class Mover(wiring.Component):
    """sat24(round(E' · 2^−shift)) of ``count`` numbers E' of 16 bits (docs/numerics.md, The error E
    at an activation), all with one shift.

    A DSP slice multiplies E', or 2^9 · E', with a power of two of at most 2^16, and adds the half
    that rounds; the result is at one of two places of the product.

    Members
    -------
    shift : In(signed(7))       any; stays from two cycles before the first numbers until the last
                                results
    numbers : In(ArrayLayout(signed(16), count))
    results : Out(ArrayLayout(signed(24), count))

    Timing: ``latency_cycles``, a set of numbers a cycle. Flow-through, no back-pressure. A DSP48E1
    a number.
    Numbers: two's complement, ties up, saturating.
    Errors: `ParameterError` for no number.
    """

    PLAN = SlicePlan()
    LEAST_SHIFT, MOST_SHIFT = 1 - numerics.JOIN_BITS, numerics.NARROW_BITS
    """Farther to the left every number but 0 saturates, to the right it is 0: as it does here."""
    STEP = 9
    """Of a number before the product: 16 bits become 25."""
    MOST = 16
    """Of the power of two: that of an unsigned factor."""
    HIGH, LOW = MOST, MOST + STEP + LEAST_SHIFT
    """Places of a result: of shifts from -`STEP` on, and of those farther to the left."""
    latency_cycles = PLAN.latency_cycles + 1

    def __init__(self, count: int, *, primitives: bool = False) -> None:
        if count < 1:
            raise ParameterError("numbers", count, "at least 1")
        self.count, self.primitives = count, primitives
        super().__init__(
            {
                "shift": In(signed(SHIFT_BITS)),
                "numbers": In(data.ArrayLayout(shape_of("E"), count)),
                "results": Out(data.ArrayLayout(shape_of("part"), count)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shift = Signal.like(self.shift, reset_less=True)
        least, most = self.LEAST_SHIFT, self.MOST_SHIFT
        m.d.sync += shift.eq(
            Mux(self.shift < least, least, Mux(self.shift > most, most, self.shift))
        )
        steps, low = shift < 0, shift < -self.STEP
        power = Signal(range(self.MOST + 1))
        m.d.comb += power.eq(
            Mux(low, self.LOW - self.STEP, Mux(steps, self.MOST - self.STEP, self.MOST)) - shift
        )
        self.steps, self.low = Signal(), Signal()
        self.factor = Signal(self.MOST + 1, reset_less=True)
        m.d.sync += [
            self.steps.eq(steps),
            self.low.eq(low),
            *(self.factor[place].eq(power == place) for place in range(self.MOST + 1)),
        ]
        for index in range(self.count):
            m.d.sync += self.results[index].eq(self._moved(m, index))
        return m

    def _moved(self, m: Module, index: int) -> Value:
        """Of the product: a whole number where a result is at its low place, so nothing rounds."""
        number = self.numbers[index]
        m.submodules[f"slice_{index}"] = each = dsp_slice(self.PLAN, primitives=self.primitives)
        m.d.comb += [
            each.a.eq(Mux(self.steps, Cat(Const(0, self.STEP), number).as_signed(), number)),
            each.b.eq(self.factor),
            each.c.eq(Mux(self.low, 0, 1 << self.HIGH - 1)),
            each.control.eq(steer(Base.C)),
        ]
        # |2^9 · E' · 2^16| is 2^40 at most; one bit more for its sign
        product = each.p[: bits_of("E") - 1 + self.STEP + self.MOST + 2]
        sign, keep = product[-1], bits_of("part") - 1
        high, low = product[self.HIGH :], product[self.LOW :]
        beyond = _unlike(high[keep:], sign) | (
            self.low & _unlike(low[keep : -len(high) + keep], sign)
        )
        kept = Mux(self.low, low[:keep], high[:keep])
        return Cat(Mux(beyond, (~sign).replicate(keep), kept), sign).as_signed()


def _unlike(bits: Value, sign: Value) -> Value:
    """Whether any of ``bits`` differs from ``sign``."""
    return bits != sign.replicate(len(bits))
