"""A shift by any amount, chosen at run time, of numbers that are then rounded and saturated."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.delay import delayed

__all__ = ["Aligner"]

DIGIT_BITS = 2
"""Of the amount, a level: a LUT6 chooses among four bits."""
FALSE = Const(0, 1)


class Aligner(wiring.Component):
    """⌊x · 2^−shift⌋ of ``count`` numbers x, cut to ``keep`` bits beside its sign.

    Members
    -------
    numbers : In(ArrayLayout(signed(bits), count))
    shift : In(signed), a cycle ahead of its numbers; −left .. right
    kept : Out(ArrayLayout(keep, count))    the low bits of the result
    signs : Out(count)       of the results, and so of the numbers
    large : Out(count)       a bit above ``keep`` differs from the sign

    Timing: ``latency_cycles`` (a level for each digit of the shift), a set of numbers a cycle, each
    with a shift of its own. Flow-through, no back-pressure.
    Loads: a bit of the shift drives about ``count · keep`` LUTs; take several components for more.
    Errors: `ParameterError` for ``count``, ``bits`` or ``keep`` below 1, or no shift at all.
    """

    def __init__(self, count: int, bits: int, keep: int, *, left: int, right: int):
        for name, value in (("count", count), ("bits", bits), ("bits kept", keep)):
            if value < 1:
                raise ParameterError(name, value, "at least 1")
        if left < 0 or right < 1 - left:
            raise ParameterError("shifts", f"-{left}..{right}", "at least two, 0 or left of it")
        self.count, self.bits, self.keep = count, bits, keep
        self.left, self.most = left, left + right
        digits = -(-self.most.bit_length() // DIGIT_BITS)
        self.units = [1 << DIGIT_BITS * digit for digit in reversed(range(digits))]
        super().__init__(
            {
                "numbers": In(data.ArrayLayout(signed(bits), count)),
                "shift": In(signed(max(self.left, right + 1).bit_length() + 1)),
                "kept": Out(data.ArrayLayout(keep, count)),
                "signs": Out(count),
                "large": Out(count),
            }
        )

    @property
    def latency_cycles(self) -> int:
        return len(self.units)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        digits = self._digits(m)
        for index in range(self.count):
            value, sign = Value.cast(self.numbers[index]), self.numbers[index][-1]
            value, large = Cat(Const(0, self.left), value), FALSE
            for level, unit in enumerate(self.units):
                name = f"{index}_{level}"
                value, sign, large = self._level(m, name, unit, value, sign, large, digits[level])
            m.d.comb += [
                self.kept[index].eq(value),
                self.signs[index].eq(sign),
                self.large[index].eq(large),
            ]
        return m

    def _digits(self, m: Module) -> list[tuple[Value, Value]]:
        """The digit of each level in its cycle, and its inverse.

        Half of the bits are shifted by the digit and half by its inverse. With one of them,
        synthesis would share parts between bits and need twice the look-up tables.
        """
        amount = Signal(DIGIT_BITS * len(self.units))
        m.d.comb += amount.eq(self.shift + self.left)
        digits = []
        for level in range(len(self.units)):
            digit = amount.word_select(len(self.units) - 1 - level, DIGIT_BITS)
            before = delayed(m, digit, level, name=f"before_{level}")
            plain, inverse = (
                Signal(DIGIT_BITS, name=f"{form}_{level}", reset_less=True)
                for form in ("digit", "inverse")
            )
            m.d.sync += [plain.eq(before), inverse.eq(~before)]
            digits.append((plain, inverse))
        return digits

    def _level(
        self,
        m: Module,
        name: str,
        unit: int,
        value: Value,
        sign: Value,
        large: Value,
        digit: tuple[Value, Value],
    ) -> tuple[Value, Value, Value]:
        """``value`` shifted right by ``unit`` times a digit; ``unit`` − 1 is left to shift."""
        keep = self.keep + unit - 1
        ways = [
            Cat(value[unit * count :], sign.replicate(unit * count + keep))[:keep]
            for count in range(min(1 << DIGIT_BITS, self.most // unit + 1))
        ]
        lost = [large | _unlike(value[unit * count + keep :], sign) for count in range(len(ways))]
        result = Signal(keep, name=f"value_{name}", reset_less=True)
        later_sign = Signal(name=f"sign_{name}", reset_less=True)
        later_large = Signal(name=f"large_{name}", reset_less=True)
        # bits that are 2 * unit apart would share half of their choice
        turn = sum(1 << bit for bit in range(keep) if bit // (2 * unit) % 2)
        plain, turned = _choose(ways, *digit)
        m.d.sync += [
            result.eq((plain & ~Const(turn, keep)) | (turned & Const(turn, keep))),
            later_sign.eq(sign),
            later_large.eq(_choose(lost, *digit)[0]),
        ]
        return result, later_sign, later_large


def _choose(ways: list[Value], digit: Value, inverse: Value) -> tuple[Value, Value]:
    """``ways[digit]``, by the digit and by its inverse; the last one beyond them."""
    one, two, three, four = [*ways, *[ways[-1]] * ((1 << DIGIT_BITS) - len(ways))]
    plain = Mux(digit[1], Mux(digit[0], four, three), Mux(digit[0], two, one))
    turned = Mux(inverse[1], Mux(inverse[0], one, two), Mux(inverse[0], three, four))
    return plain, turned


def _unlike(bits: Value, sign: Value) -> Value:
    """Whether any of ``bits`` differs from ``sign``."""
    return bits != sign.replicate(len(bits)) if len(bits) else FALSE
