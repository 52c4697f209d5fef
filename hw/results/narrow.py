"""Narrowing: shift, round, saturate."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.precision import MAX_BITS, SUM_BITS
from fractrain.hw.results.choice import choose
from fractrain.hw.shared_module import SharedModule

__all__ = ["Narrower", "NarrowPart"]

# Bits needed after each part of the shift: the result with a bit of the fraction, and what later
# parts may shift out.
AFTER_16, AFTER_4, AFTER_1 = MAX_BITS + 1 + 12 + 3, MAX_BITS + 1 + 3, MAX_BITS + 1
FALSE = Const(0, 1)


class NarrowPart(wiring.Component):
    """Narrows ``count`` sums of 48 bits to 16 or fewer.

    Let r = floor(sum / 2**shift + 1/2), or sum for shift 0. The result is r, saturated: bits that
    ``beyond`` marks must equal r's sign (``signed``), or be 0; else it is the limit next to r. The
    marked bits of a result have no meaning.

    Members
    -------
    step : In(1)                  the pipeline moves on
    sums : In(48 * count)
    shift, signed, beyond : In    with the sums
    outside : In(count)           `LATENCY_STEPS` - 1 steps after the sums: the result is 0
    results : Out(16 * count)

    Timing: `LATENCY_STEPS` steps, one set of sums per step.
    """

    LATENCY_STEPS = 5

    def __init__(self, count: int):
        self.count = count
        super().__init__(
            {
                "step": In(1),
                "sums": In(count * SUM_BITS),
                "shift": In(6),
                "signed": In(1),
                "beyond": In(MAX_BITS),
                "outside": In(count),
                "results": Out(count * MAX_BITS),
            }
        )
        # of the last two steps
        self._signed_early, self._signed = Signal(), Signal()
        self._beyond_early, self._beyond = Signal(MAX_BITS), Signal(MAX_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        amounts = self._control(m)
        for index in range(self.count):
            coarse = self._coarse(m, index)
            middle = self._middle(m, index, *coarse, amounts[0])
            rounded = self._round(m, index, *middle, amounts[1])
            self._saturate(m, index, *rounded)
        return m

    def _control(self, m: Module) -> list[tuple[Value, Value]]:
        """Delays the control; the amounts of the second and the third shift, and their inverses.

        Half of the bits are shifted by the amount and half by its inverse. With one of them,
        synthesis would share parts between bits and need twice the look-up tables.
        """
        middle, fine = Signal(2, reset_less=True), Signal(2, reset_less=True)
        middle_inverse, fine_inverse = Signal(2, reset_less=True), Signal(2, reset_less=True)
        fine_next = Signal(2, reset_less=True)
        signed, beyond = Signal(4), Signal(4 * MAX_BITS)  # with reset: no shift registers
        with m.If(self.step):
            m.d.sync += [
                middle.eq(self.shift[2:4]),
                middle_inverse.eq(~self.shift[2:4]),
                fine_next.eq(self.shift[:2]),
                fine.eq(fine_next),
                fine_inverse.eq(~fine_next),
                signed.eq(Cat(self.signed, signed)),
                beyond.eq(Cat(self.beyond, beyond)),
            ]
        m.d.comb += [
            self._signed_early.eq(signed[2]),
            self._signed.eq(signed[3]),
            self._beyond_early.eq(beyond[2 * MAX_BITS : 3 * MAX_BITS]),
            self._beyond.eq(beyond[3 * MAX_BITS :]),
        ]
        return [(middle, middle_inverse), (fine, fine_inverse)]

    def _coarse(self, m: Module, index: int) -> tuple[Value, Value, Value]:
        """Shifts by 0, 16, 32 or 48. Returns what is left, the sign, and whether a bit lost at the
        top differs from the sign: the value is then beyond any 16 bits."""
        value = self.sums.word_select(index, SUM_BITS)
        sign = value[-1]
        # a bit of fraction below, more than enough of the sign above
        doubled = Cat(FALSE, value, sign.replicate(AFTER_16))
        result = Signal(AFTER_16, reset_less=True, name=f"coarse_{index}")
        sign_out = Signal(reset_less=True, name=f"coarse_sign_{index}")
        large = Signal(reset_less=True, name=f"coarse_large_{index}")

        def shift(count: int) -> None:
            low = 16 * count
            lost = _unlike(doubled, low + AFTER_16, SUM_BITS + 1, sign)
            m.d.sync += [result.eq(doubled[low : low + AFTER_16]), large.eq(lost)]

        with m.If(self.step):
            m.d.sync += sign_out.eq(sign)
            choose(m, self.shift[4:], range(4), shift)
        return result, sign_out, large

    def _middle(
        self,
        m: Module,
        index: int,
        value: Value,
        sign: Value,
        large: Value,
        amounts: tuple[Value, Value],
    ) -> tuple[Value, Value, Value]:
        """Shifts by 0, 4, 8 or 12; the result is as of `_coarse`."""
        result = Signal(AFTER_4, reset_less=True, name=f"middle_{index}")
        sign_out = Signal(reset_less=True, name=f"middle_sign_{index}")
        large_out = Signal(reset_less=True, name=f"middle_large_{index}")
        with m.If(self.step):
            m.d.sync += [
                result.eq(_shifted(value, 4, AFTER_4, *amounts)),
                sign_out.eq(sign),
                large_out.eq(large | _lost(value, 4, AFTER_4, sign, amounts[0])),
            ]
        return result, sign_out, large_out

    def _round(
        self,
        m: Module,
        index: int,
        value: Value,
        sign: Value,
        large: Value,
        amounts: tuple[Value, Value],
    ) -> tuple[Value, Value, Value]:
        """Shifts by 0, 1, 2 or 3 and adds the bit of fraction; returns the sign from before."""
        fine = Signal(AFTER_1, name=f"fine_{index}")
        m.d.comb += fine.eq(_shifted(value, 1, AFTER_1, *amounts))
        rounded = Signal(MAX_BITS + 1, reset_less=True, name=f"rounded_{index}")
        sign_out = Signal(reset_less=True, name=f"sign_{index}")
        large_out = Signal(reset_less=True, name=f"large_{index}")
        with m.If(self.step):
            m.d.sync += [
                rounded.eq(Cat(fine[1:], sign) + fine[0]),
                sign_out.eq(sign),
                large_out.eq(large | _lost(value, 1, AFTER_1, sign, amounts[0])),
            ]
        return rounded, sign_out, large_out

    def _saturate(self, m: Module, index: int, rounded: Value, sign: Value, large: Value) -> None:
        """Two steps. If rounding has made a negative value 0, the top bit of ``rounded`` is 0 and
        the sign 1; if it has exceeded the largest value, the other way round."""
        negative = rounded[-1]
        signs = negative.replicate(MAX_BITS)
        unlike = ((rounded[:-1] ^ signs) & self._beyond_early).any()
        high = Signal(reset_less=True, name=f"high_{index}")
        low = Signal(reset_less=True, name=f"low_{index}")
        inside = Signal(MAX_BITS, reset_less=True, name=f"inside_{index}")
        result = Signal(MAX_BITS, reset_less=True, name=f"result_{index}")
        lowest = self._beyond & self._signed.replicate(MAX_BITS)
        with m.If(self.step):
            m.d.sync += [
                high.eq(~sign & (large | negative | unlike)),
                low.eq(sign & (large | (negative & (unlike | ~self._signed_early)))),
                inside.eq(rounded),
            ]
            with m.If(self.outside[index]):
                m.d.sync += result.eq(0)
            with m.Else():
                m.d.sync += result.eq(Mux(high, ~self._beyond, Mux(low, lowest, inside)))
        m.d.comb += self.results.word_select(index, MAX_BITS).eq(result)


def _shifted(value: Value, unit: int, keep: int, amount: Value, inverse: Value) -> Value:
    """``keep`` bits of ``value >> unit * amount``; ``inverse`` is ``~amount``."""
    ways = [value[unit * count : unit * count + keep] for count in range(4)]
    one = Mux(amount[1], Mux(amount[0], ways[3], ways[2]), Mux(amount[0], ways[1], ways[0]))
    two = Mux(inverse[1], Mux(inverse[0], ways[0], ways[1]), Mux(inverse[0], ways[2], ways[3]))
    # bits that are 2 * unit apart would share half of their choice
    turn = sum(1 << bit for bit in range(keep) if bit // (2 * unit) % 2)
    return (one & ~Const(turn, keep)) | (two & Const(turn, keep))


def _lost(value: Value, unit: int, keep: int, sign: Value, amount: Value) -> Value:
    """Whether any bit above these differs from ``sign``."""
    parts = [
        _unlike(value, keep + unit * count, keep + unit * (count + 1), sign) & (amount <= count)
        for count in range(3)
    ]
    return parts[0] | parts[1] | parts[2]


def _unlike(value: Value, start: int, stop: int, sign: Value) -> Value:
    """Whether any bit of ``value[start:stop]`` differs from ``sign``."""
    if start >= stop:
        return FALSE
    return value[start:stop] != sign.replicate(stop - start)


class Narrower(wiring.Component):
    """`NarrowPart` for all results of a beat.

    ``outside`` has a bit per pixel. ``step`` and ``coarse`` exist once per part, as their load is
    high; ``coarse`` is ``shift[4:]``. Everything else is as there.
    """

    LATENCY_STEPS = NarrowPart.LATENCY_STEPS

    def __init__(self, results: int, pixels: int, part_results: int):
        self.result_count, self.pixels, self.part_results = results, pixels, part_results
        self.parts = results // part_results
        super().__init__(
            {
                "step": In(self.parts),
                "sums": In(results * SUM_BITS),
                "shift": In(4),
                "coarse": In(2 * self.parts),
                "signed": In(1),
                "beyond": In(MAX_BITS),
                "outside": In(pixels),
                "results": Out(data.ArrayLayout(MAX_BITS, results)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count, per_pixel = self.part_results, self.result_count // self.pixels
        for number in range(self.parts):
            part = SharedModule(NarrowPart(count), f"result_narrow_{count}")
            m.submodules[f"part_{number}"] = part
            first = number * count
            m.d.comb += [
                part.step.eq(self.step[number]),
                part.sums.eq(self.sums[first * SUM_BITS : (first + count) * SUM_BITS]),
                part.shift.eq(Cat(self.shift, self.coarse.word_select(number, 2))),
                part.signed.eq(self.signed),
                part.beyond.eq(self.beyond),
                part.outside.eq(Cat(self.outside[(first + i) // per_pixel] for i in range(count))),
                Cat(self.results[first + i] for i in range(count)).eq(part.results),
            ]
        return m
