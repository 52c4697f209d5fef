"""A true division, rounded: one bit of the quotient a cycle."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError

__all__ = ["RoundingDivider"]


class RoundingDivider(wiring.Component):
    """round(numerator / 2n) = ⌊(numerator + n) / 2n⌋, exact.

    Members
    -------
    start : In(1), numerator : In(signed(numerator_bits)), divisor : In(unsigned(divisor_bits))
                         n ≥ 1, held until ``done``; the quotient must fit
    quotient : Out(signed(quotient_bits)), done : Out(1)    while ``done``, until the next ``start``

    Timing: done ``latency_cycles`` after ``start``. A start before that begins anew.
    Errors: `ParameterError` for fewer bits than one, or than the divisor's for a quotient.

    The numerator is raised by 2^(bits − 1) divisors of 2n, so that nothing is negative; this turns
    the quotient's top bit, and is written beside n without an addition.
    """

    def __init__(self, numerator_bits: int, divisor_bits: int, quotient_bits: int) -> None:
        if divisor_bits < 1 or numerator_bits < 1:
            raise ParameterError("bits", min(divisor_bits, numerator_bits), "at least 1")
        if quotient_bits < divisor_bits:
            raise ParameterError("bits of a quotient", quotient_bits, f"at least {divisor_bits}")
        self.quotient_bits = quotient_bits
        super().__init__(
            {
                "start": In(1),
                "numerator": In(signed(numerator_bits)),
                "divisor": In(unsigned(divisor_bits)),
                "quotient": Out(signed(quotient_bits)),
                "done": Out(1),
            }
        )

    @property
    def latency_cycles(self) -> int:
        return self.quotient_bits + 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, divisor = self.quotient_bits, self.divisor
        # the dividend leaves at its top for the remainder, the quotient enters below
        rest = Signal(bits, reset_less=True)
        remainder = Signal(len(divisor) + 1, reset_less=True)
        left, running = Signal(range(bits)), Signal()
        raised = Signal(bits + len(remainder))
        trial = Signal(signed(len(remainder) + 2))
        grown = Cat(rest[-1], remainder)
        one = ~trial[-1]
        m.d.comb += [
            raised.eq(self.numerator + Cat(divisor, Const(0, bits - len(divisor)), divisor)),
            trial.eq(grown - (divisor << 1)),
            self.quotient.eq(Cat(rest[:-1], ~rest[-1])),
        ]
        with m.If(self.start):
            m.d.sync += [
                Cat(rest, remainder).eq(raised),
                left.eq(bits - 1),
                running.eq(1),
                self.done.eq(0),
            ]
        with m.Elif(running):
            m.d.sync += [
                rest.eq(Cat(one, rest)),
                remainder.eq(Mux(one, trial, grown)),
                left.eq(left - 1),
                running.eq(left != 0),
                self.done.eq(left == 0),
            ]
        return m
