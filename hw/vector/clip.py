"""Numbers of a run-time number of bits, clipped, at the top of one word."""

import enum

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError

__all__ = ["Clip", "ClipControl", "clip_control"]


class Place(enum.IntEnum):
    """What a place of the result is."""

    ABSENT = 0
    LOWEST = 1
    BIT = 2
    LOWER = 3
    """A bit that the word's widest form has there; in all others it stands a place lower."""


def clip_control(bits: int) -> data.StructLayout:
    """Of a `Clip` with results of ``bits`` bits.

    places : `Place` of each bit below the sign
    kept : of the number's bits below its sign, the highest last, those that the result has
    """
    return data.StructLayout(
        {"places": data.ArrayLayout(2, bits - 1), "kept": bits - 1, "widest": 1}
    )


class ClipControl(wiring.Component):
    """The control of a `Clip` for b bits.

    Members
    -------
    bits : In, ``fewest`` .. ``most``
    control : Out(`clip_control`), a cycle later

    ``raised``: numbers of the word's full width stand a place higher than all others.
    """

    latency_cycles = 1

    def __init__(self, word_bits: int, fewest: int, most: int, *, raised: bool = False) -> None:
        if not 1 <= fewest <= most <= word_bits:
            raise ParameterError("bits of a number", f"{fewest}..{most}", f"1..{word_bits}")
        self.word_bits, self.fewest, self.most, self.raised = word_bits, fewest, most, raised
        super().__init__({"bits": In(range(most + 1)), "control": Out(clip_control(word_bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        control = Signal.like(self.control, reset_less=True)
        with m.Switch(self.bits):
            for bits in range(self.fewest, self.most + 1):
                with m.Case(bits):
                    m.d.sync += control.eq(self._const(bits))
        m.d.comb += self.control.eq(control)
        return m

    def _const(self, bits: int) -> Value:
        width = self.word_bits
        widest = self.raised and bits == width
        # the places of all but the widest end below the word's top
        lowest = width - self.raised - bits
        places = [
            Place.LOWER
            if widest
            else Place.ABSENT
            if place < lowest
            else Place.LOWEST
            if place == lowest
            else Place.BIT
            for place in range(width - 1)
        ]
        kept = (1 << width - 1) - (1 << width - bits)
        return Value.cast(
            clip_control(width).const({"places": places, "kept": kept, "widest": widest})
        )


class Clip(wiring.Component):
    """clip_b(⌊number · 2^−(top + 1 − b)⌋) of b bits, b at run time, at the top of its word.

    So the number's bit ``top`` is the sign of what is not clipped, whatever b is. clip_b(x) is x in
    ±(2^(b−1) − 1), of one bit −1 or 0.

    Members
    -------
    number : In(signed(number_bits))
    control : In(`clip_control`) of b, from `ClipControl`
    result : Out(signed(bits))   the clipped number · 2^(bits − b); ``raised``: of fewer than
                                 ``bits`` bits half of that

    Timing: ``latency_cycles``, a number a cycle. Flow-through, no back-pressure.
    Errors: `ParameterError` if the number does not have the word's bits below ``top``.
    """

    latency_cycles = 2

    def __init__(self, number_bits: int, top: int, bits: int, *, raised: bool = False) -> None:
        if not bits - 1 <= top < number_bits or bits < 2:
            raise ParameterError("top bit", top, f"{bits - 1}..{number_bits - 1}")
        self.top, self.bits, self.raised = top, bits, raised
        super().__init__(
            {
                "number": In(signed(number_bits)),
                "control": In(clip_control(bits)),
                "result": Out(signed(bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        below = self.number[self.top - self.bits + 1 : self.top]
        above, sign = self.number[self.top : -1], self.number[-1]
        beyond = above != sign.replicate(len(above))
        least = ~(below & self.control.kept).any()
        bits = Signal(self.bits - 1, reset_less=True)
        negative = Signal(reset_less=True)
        high, low = Signal(reset_less=True), Signal(reset_less=True)
        control = Signal.like(self.control, reset_less=True)
        result = Signal(self.bits, reset_less=True)
        m.d.sync += [
            bits.eq(below),
            negative.eq(sign),
            high.eq(~sign & beyond),
            low.eq(sign & (beyond | least)),
            control.eq(self.control),
            result.eq(Cat(self._places(bits, control, negative, high, low), negative)),
        ]
        m.d.comb += self.result.eq(result)
        return m

    def _places(
        self, bits: Value, control: data.View, negative: Value, high: Value, low: Value
    ) -> Value:
        """The bits below the sign: all ones if too high; only the lowest if too low."""
        width = self.bits - 1
        if not self.raised:
            return Cat(_place(control.places[i], bits[i], bits[i], high, low) for i in range(width))
        places = [
            _place(control.places[i], bits[i + 1], bits[i], high, low, ends=i == 0)
            for i in range(width - 1)
        ]
        top = (control.widest & (bits[-1] | high) & ~low) | (~control.widest & negative)
        return Cat(*places, top)


def _place(
    place: Value, bit: Value, lower: Value, high: Value, low: Value, *, ends: bool = False
) -> Value:
    """``ends``: of the widest form it is the lowest place."""
    chosen = ((place == Place.BIT) & (bit | high) & ~low) | (
        (place == Place.LOWEST) & (bit | high | low)
    )
    widest = (lower | high | low) if ends else (lower | high) & ~low
    return chosen | ((place == Place.LOWER) & widest)
