"""Errors become E: parts are scaled, added up, masked and saturated."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.flow.delay import delayed
from fractrain.hw.vector.align import Aligner
from fractrain.hw.vector.dsp_slice import Base, First, SlicePlan, dsp_slice, steer
from fractrain.hw.vector.words import bits_of, shape_of

__all__ = ["Joiner"]


class Joiner(wiring.Component):
    """E = sat16(mask · Σ parts) of ``count`` pixels (docs/numerics.md, The error E at an
    activation). Parts come one a beat, ``first`` with the first of them, four at most; each is

        sat24(round(round(number · 2^−preshift) · mantissa · 2^−shift))

    of a convolution's sums, with ``preshift`` k₀ and the mantissa and shift of their multiplier; an
    error E' of another tensor is number, with k₀ = 0, mantissa 2^16 and shift 16 + k − k'. A number
    of a part's width needs no preshift: it may come late, as ``earlier``, from a memory.

    Members, in the cycle of the beat unless another is given
    -------
    preshift : In, a cycle ahead     k₀, 0 .. ``bits`` − 25
    numbers : In(ArrayLayout(signed(bits), count))
    mantissa : In(unsigned(17)), shift : In(signed)    the top bit of a mantissa is set; a shift is
                            `LEAST_SHIFT` .. `MOST_SHIFT`: one beyond gives what the nearest gives
    first : In(1)
    earlier : In(ArrayLayout(signed(24), count)), use_earlier : In(1), at ``earlier_cycle``    these
                            in the place of the beat's numbers
    mask : In(count), at ``mask_cycle``
    totals : Out(ArrayLayout(signed(26), count)), after ``total_cycles``    mask · Σ of the parts so
                            far, whose greatest magnitude is `hw.vector.peak`'s
    errors : Out(ArrayLayout(signed(16), count)), after ``latency_cycles``  the same, saturated: E
                            with the last part

    ``bits``: of a number, at least 26.

    Timing: a part a cycle, flow-through, no back-pressure. A DSP48E1 a pixel.
    Numbers: k₀ is such that every sum has 25 bits then; else it is cut to them.
    Errors: `ParameterError` for ``bits`` too few; those of `Aligner`.
    """

    LEAST_SHIFT = numerics.MULTIPLIER_BITS - numerics.JOIN_BITS
    """Farther to the left every product saturates, as it does here: it is 2^16 at least."""
    MOST_SHIFT = numerics.SCALED_BITS
    """Farther to the right every product rounds to 0, as it does here."""
    PLAN = SlicePlan(First.SUM)

    def __init__(self, count: int, bits: int = SUM_BITS, *, primitives: bool = False) -> None:
        preshift = bits - numerics.PRESHIFTED_BITS
        if preshift < 1:
            allowed = f"at least {numerics.PRESHIFTED_BITS + 1}"
            raise ParameterError("bits of a number", bits, allowed)
        self.count, self.primitives = count, primitives
        # with a bit of fraction, which rounds
        self.first_aligner = Aligner(
            count, bits + 1, numerics.PRESHIFTED_BITS + 1, left=0, right=preshift
        )
        # with half of what is cut off, a product has a bit more
        self.second_aligner = Aligner(
            count,
            numerics.SCALED_BITS + 1,
            numerics.JOIN_BITS - 1,
            left=-self.LEAST_SHIFT,
            right=self.MOST_SHIFT,
        )
        super().__init__(
            {
                "preshift": In(range(preshift + 1)),
                "numbers": In(data.ArrayLayout(signed(bits), count)),
                "mantissa": In(numerics.MULTIPLIER_BITS),
                "shift": In(self.second_aligner.shift.shape()),
                "first": In(1),
                "earlier": In(data.ArrayLayout(shape_of("part"), count)),
                "use_earlier": In(1),
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
        first = delayed(m, self.first, self.part_cycles, name="first")
        for index in range(self.count):
            self._multiply(m, index, mantissa, half)
            self._add(m, index, self._saturate(m, index), first)
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
        kept = aligner.kept[index]
        aligned = kept[1:].as_signed()
        m.d.comb += [
            aligner.numbers[index].eq(Cat(Const(0, 1), self.numbers[index])),
            each.a.eq(Mux(self.use_earlier, self.earlier[index], aligned)),
            each.d.eq(kept[0] & ~self.use_earlier),
            each.b.eq(mantissa),
            each.c.eq(half),
            each.control.eq(steer(Base.C)),
            self.second_aligner.numbers[index].eq(each.p),
        ]

    def _saturate(self, m: Module, index: int) -> Value:
        aligner = self.second_aligner
        sign, part = aligner.signs[index], Signal(shape_of("part"), name=f"part_{index}")
        limit = (~sign).replicate(aligner.keep)
        kept = Mux(aligner.large[index], limit, aligner.kept[index])
        m.d.sync += part.eq(Cat(kept, sign).as_signed())
        return part

    def _add(self, m: Module, index: int, part: Value, first: Value) -> None:
        total = Signal(shape_of("Σ parts"), name=f"total_{index}", reset_less=True)
        masked = Signal(shape_of("Σ parts"), name=f"masked_{index}", reset_less=True)
        error = Signal(shape_of("E"), name=f"error_{index}", reset_less=True)
        m.d.sync += [total.eq(part + Mux(first, 0, total)), masked.eq(total)]
        with m.If(~self.mask[index]):
            m.d.sync += masked.eq(0)
        top = bits_of("E") - 1
        sign = masked[-1]
        beyond = masked[top:-1] != sign.replicate(len(masked) - 1 - top)
        m.d.sync += error.eq(Cat(Mux(beyond, (~sign).replicate(top), masked[:top]), sign))
        m.d.comb += [self.totals[index].eq(masked), self.errors[index].eq(error)]
