"""Sums become E, scaled, added up, masked and saturated; or y, shifted and saturated."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.delay import delayed
from fractrain.hw.vector.align import Aligner
from fractrain.hw.vector.dsp_slice import (
    MULTIPLICAND_BITS,
    MULTIPLIER_BITS,
    Base,
    First,
    SlicePlan,
    dsp_slice,
    steer,
)
from fractrain.hw.vector.words import bits_of, shape_of

__all__ = ["Joiner"]


class Joiner(wiring.Component):
    """E = sat16(mask · Σ parts) of ``count`` pixels (docs/numerics.md, The error E at an
    activation). Parts come one a beat, ``first`` with the first of them, four at most; each is

        sat24(round(round(number · 2^−preshift) · mantissa · 2^−shift))

    of a convolution's sums, with ``preshift`` k₀ and the mantissa and shift of their multiplier; an
    error E' of another tensor is number, with k₀ = 0, mantissa 2^16 and shift 16 + k − k'. A number
    of a part's width needs no preshift: it may come late, as ``earlier``, from a memory.

    Where it ``narrows``, each beat is y = sat16(round(number · 2^−shift)) · mask instead (Sums
    become y): the number goes past the multiplier, so everything comes ``ahead_cycles`` earlier.

    Members, in the cycle of the beat unless another is given
    -------
    narrows : In(1)          stays while beats are here; ``shift`` too, where it is set
    preshift : In, a cycle ahead     k₀, 0 .. ``bits`` − 25
    numbers : In(ArrayLayout(signed(bits), count))
    mantissa : In(unsigned(17)), shift : In(signed)    the top bit of a mantissa is set; a shift is
                            `LEAST_SHIFT` .. `MOST_SHIFT`, where it narrows `LEAST_NARROW` ..: one
                            beyond gives what the nearest gives
    first : In(1)
    earlier : In(ArrayLayout(signed(24), count)), at ``earlier_cycle``    numbers of a beat whose
                            ``numbers`` are 0; else 0
    mask : In(count), at ``mask_cycle``
    totals : Out(ArrayLayout(signed(26), count)), after ``total_cycles``    mask · Σ of the parts so
                            far, whose greatest magnitude is `hw.vector.peak`'s
    errors : Out(ArrayLayout(signed(16), count)), after ``latency_cycles``  the same, saturated: E
                            with the last part

    ``bits``: of a number, 26 .. 42.

    Timing: a part a cycle, flow-through, no back-pressure. Two DSP48E1 a pixel: the product, and
    Σ parts.
    Numbers: k₀ is such that every sum has 25 bits then; else it is cut to them.
    Errors: `ParameterError` for ``bits`` too few; those of `Aligner`.
    """

    LEAST_SHIFT = numerics.MULTIPLIER_BITS - numerics.JOIN_BITS
    """Farther to the left every product saturates, as it does here: it is 2^16 at least."""
    MOST_SHIFT = numerics.SCALED_BITS
    """Farther to the right every product rounds to 0, as it does here."""
    LEAST_NARROW = 1 - numerics.NARROW_BITS
    """Farther to the left every sum but 0 saturates, as it does here."""
    PLAN = SlicePlan(First.SUM, joined=True)
    SUM = SlicePlan()
    LOW_BITS = MULTIPLIER_BITS
    """Of a number that goes past the multiplier, at its one operand; the others at the other."""

    def __init__(
        self, count: int, bits: int = numerics.CONVOLVED_BITS, *, primitives: bool = False
    ) -> None:
        preshift = bits - numerics.PRESHIFTED_BITS
        # rounded at the widest shift, a number is to fit the second aligner
        most = min(numerics.SCALED_BITS, MULTIPLICAND_BITS + MULTIPLIER_BITS)
        if preshift < 1 or bits > most:
            allowed = f"{numerics.PRESHIFTED_BITS + 1}..{most}"
            raise ParameterError("bits of a number", bits, allowed)
        self.count, self.primitives, self.bits = count, primitives, bits
        # with a bit of fraction, which rounds
        self.first_aligner = Aligner(
            count, bits + 1, numerics.PRESHIFTED_BITS + 1, left=0, right=preshift
        )
        # with half of what is cut off, a product has a bit more
        self.second_aligner = Aligner(
            count,
            numerics.SCALED_BITS + 1,
            numerics.JOIN_BITS - 1,
            left=-self.LEAST_NARROW,
            right=self.MOST_SHIFT,
        )
        super().__init__(
            {
                "narrows": In(1),
                "preshift": In(range(preshift + 1)),
                "numbers": In(data.ArrayLayout(signed(bits), count)),
                "mantissa": In(numerics.MULTIPLIER_BITS),
                "shift": In(self.second_aligner.shift.shape()),
                "first": In(1),
                "earlier": In(data.ArrayLayout(shape_of("part"), count)),
                "mask": In(count),
                "totals": Out(data.ArrayLayout(shape_of("Σ parts"), count)),
                "errors": Out(data.ArrayLayout(shape_of("E"), count)),
            }
        )

    @property
    def earlier_cycle(self) -> int:
        """Numbers are aligned."""
        return self.first_aligner.latency_cycles

    @property
    def product_cycles(self) -> int:
        return self.first_aligner.latency_cycles + self.PLAN.latency_cycles

    @property
    def ahead_cycles(self) -> int:
        """The low bits of a number are taken at once, the others when the slice wants them."""
        return self.product_cycles - (self.PLAN.joined_cycles - self.PLAN.low_cycle)

    @property
    def part_cycles(self) -> int:
        """Alignment and saturation of the product."""
        return self.product_cycles + self.second_aligner.latency_cycles + 1

    @property
    def mask_cycle(self) -> int:
        """The sum is there, and is masked."""
        return self.part_cycles + 1

    @property
    def total_cycles(self) -> int:
        return self.mask_cycle + 1

    @property
    def latency_cycles(self) -> int:
        return self.total_cycles + 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.first_aligner = self.first_aligner
        m.submodules.second_aligner = self.second_aligner
        mantissa, half = self._scale(m)
        # known a cycle before the part stands in the slice
        first = delayed(m, self.first, self.part_cycles - 1, name="first")
        restarts = Signal()
        m.d.comb += restarts.eq(first | self.narrows)
        for index in range(self.count):
            self._multiply(m, index, mantissa, half)
            self._add(m, index, self._saturated(index), restarts)
        return m

    def _scale(self, m: Module) -> tuple[Value, Value]:
        """Aligns the shifts with the numbers; the mantissa, and half of what a product loses."""
        operand = self.earlier_cycle
        taken = operand + self.PLAN.control_cycle
        shift = delayed(m, self.shift, taken - 1, name="shift_early")
        half = Signal(self.MOST_SHIFT, reset_less=True)
        for place in range(self.MOST_SHIFT):
            m.d.sync += half[place].eq(shift == place + 1)
        late = self.product_cycles - 1 - (taken - 1)
        m.d.comb += [
            self.first_aligner.shift.eq(self.preshift),
            self.second_aligner.shift.eq(delayed(m, shift, late, name="shift")),
        ]
        return delayed(m, self.mantissa, operand, name="mantissa"), half

    def _multiply(self, m: Module, index: int, mantissa: Value, half: Value) -> None:
        aligner = self.first_aligner
        m.submodules[f"slice_{index}"] = each = dsp_slice(self.PLAN, primitives=self.primitives)
        kept, number = aligner.kept[index], self.numbers[index]
        aligned, low = kept[1:].as_signed(), self.LOW_BITS
        high = delayed(
            m, number[low:].as_signed(), -self.PLAN.low_cycle, name=f"high_{index}"
        ).as_signed()
        m.d.comb += [
            aligner.numbers[index].eq(Cat(Const(0, 1), number)),
            each.a.eq(Mux(self.narrows, high, aligned)),
            # of what is added up one is 0
            each.d.eq(Cat(self.earlier[index][0] | kept[0], self.earlier[index][1:]).as_signed()),
            each.b.eq(Mux(self.narrows, number[:low].as_signed(), mantissa)),
            each.c.eq(half),
            each.control.eq(steer(Base.C, join=self.narrows)),
            self.second_aligner.numbers[index].eq(each.p),
        ]

    def _saturated(self, index: int) -> Value:
        aligner = self.second_aligner
        sign = aligner.signs[index]
        limit = (~sign).replicate(aligner.keep)
        kept = Mux(aligner.large[index], limit, aligner.kept[index])
        return Cat(kept, sign).as_signed()

    def _add(self, m: Module, index: int, part: Value, restarts: Value) -> None:
        m.submodules[f"sum_{index}"] = each = dsp_slice(self.SUM, primitives=self.primitives)
        total = each.p[: bits_of("Σ parts")].as_signed()
        masked = Signal(shape_of("Σ parts"), name=f"masked_{index}", reset_less=True)
        error = Signal(shape_of("E"), name=f"error_{index}", reset_less=True)
        m.d.comb += [
            each.c.eq(part),
            each.control.eq(steer(Mux(restarts, Base.ZERO, Base.VALUE), addend=1)),
        ]
        m.d.sync += masked.eq(total)
        with m.If(~self.mask[index]):
            m.d.sync += masked.eq(0)
        top = bits_of("E") - 1
        sign = masked[-1]
        beyond = masked[top:-1] != sign.replicate(len(masked) - 1 - top)
        m.d.sync += error.eq(Cat(Mux(beyond, (~sign).replicate(top), masked[:top]), sign))
        m.d.comb += [self.totals[index].eq(masked), self.errors[index].eq(error)]
