"""Numbers of 32 bits times a real factor: two DSP slices, a shift, a rounding."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.delay import delayed
from fractrain.hw.vector.align import Aligner
from fractrain.hw.vector.dsp_slice import SHIFT, Base, First, SlicePlan, dsp_slice, steer
from fractrain.hw.vector.words import bits_of, shape_of

__all__ = ["NOISE_BITS", "NEAREST", "LongProduct", "Scaler"]

NOISE_BITS = numerics.RANDOM_BITS + 1
NEAREST = 1 << numerics.RANDOM_BITS
"""The noise that rounds to nearest: a half."""


class LongProduct(wiring.Component):
    """(number + one) · mantissa of ``lanes`` numbers of 32 bits, exact.

    Members
    -------
    numbers : In(ArrayLayout(signed(32), lanes)), ones : In(lanes)
    mantissa : In(unsigned(17))
    products : Out(ArrayLayout(signed(49), lanes))

    Timing: ``latency_cycles``, a set of numbers a cycle. Two DSP48E1 a lane: the lower 17 bits, and
    the upper ones onto what they carry.
    """

    LOWER, UPPER = SlicePlan(First.SUM), SlicePlan(cascaded=True)
    UPPER_CYCLE = LOWER.latency_cycles - UPPER.enable_cycle
    latency_cycles = UPPER_CYCLE + UPPER.latency_cycles

    def __init__(self, lanes: int, *, primitives: bool = False) -> None:
        if lanes < 1:
            raise ParameterError("lanes", lanes, "at least 1")
        self.lanes, self.primitives = lanes, primitives
        super().__init__(
            {
                "numbers": In(data.ArrayLayout(shape_of("w"), lanes)),
                "ones": In(lanes),
                "mantissa": In(numerics.MULTIPLIER_BITS),
                "products": Out(data.ArrayLayout(shape_of("product"), lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        late = delayed(m, self.mantissa, self.UPPER_CYCLE, name="mantissa")
        for lane in range(self.lanes):
            lower, upper = (
                dsp_slice(plan, primitives=self.primitives) for plan in (self.LOWER, self.UPPER)
            )
            m.submodules[f"lower_{lane}"], m.submodules[f"upper_{lane}"] = lower, upper
            number = self.numbers[lane]
            high = delayed(m, number[SHIFT:], self.UPPER_CYCLE, name=f"high_{lane}")
            low = delayed(m, lower.p[:SHIFT], 1, name=f"low_{lane}")
            m.d.comb += [
                lower.a.eq(number[:SHIFT]),
                lower.d.eq(self.ones[lane]),
                lower.b.eq(self.mantissa),
                upper.a.eq(Value.cast(high).as_signed()),
                upper.b.eq(late),
                upper.control.eq(steer(Base.BELOW_SHIFTED)),
                upper.below.eq(lower.cascade),
                self.products[lane].eq(Cat(low, upper.p)),
            ]
        return m


class Scaler(wiring.Component):
    """sat33(⌊(number + one) · mantissa · 2^−shift + noise/512⌋) of ``lanes`` numbers of 32 bits
    (docs/numerics.md, Update).

    Members, in the cycle of the numbers unless another is given
    -------
    numbers : In(ArrayLayout(signed(32), lanes)), ones : In(lanes)
    mantissa : In(unsigned(17)), shift : In(signed)    `LEAST_SHIFT` .. `MOST_SHIFT`: one beyond
                     gives what that gives; 0 and any
    noise : In(ArrayLayout(9, lanes)), at ``noise_cycle``    `NEAREST`, or 2u + 1
    terms : Out(ArrayLayout(signed(33), lanes))

    Timing: ``latency_cycles``, a set of numbers a cycle, each with a factor of its own.
    Flow-through, no back-pressure.
    """

    MOST_SHIFT = bits_of("product") - 1 + NOISE_BITS
    """Farther to the right every product with its noise is 0, as it is here."""
    LEFT = NOISE_BITS - numerics.UPDATE_LEAST_SHIFT
    LEAST_SHIFT = NOISE_BITS - LEFT
    """Factors of 2^22 and more are not taken: with one level less of shifts."""

    def __init__(self, lanes: int, *, primitives: bool = False) -> None:
        self.lanes = lanes
        self.product = LongProduct(lanes, primitives=primitives)
        self.aligner = Aligner(
            lanes,
            bits_of("product"),
            bits_of("term") - 1 + NOISE_BITS,
            left=self.LEFT,
            right=self.MOST_SHIFT - NOISE_BITS,
        )
        members = self.product.signature.members
        super().__init__(
            {
                **{name: members[name] for name in ("numbers", "ones", "mantissa")},
                "shift": In(signed(self.MOST_SHIFT.bit_length() + 1)),
                "noise": In(data.ArrayLayout(unsigned(NOISE_BITS), lanes)),
                "terms": Out(data.ArrayLayout(shape_of("term"), lanes)),
            }
        )

    @property
    def noise_cycle(self) -> int:
        return self.product.latency_cycles + self.aligner.latency_cycles

    @property
    def latency_cycles(self) -> int:
        """The noise, and saturation."""
        return self.noise_cycle + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.product, m.submodules.aligner = self.product, self.aligner
        shift = delayed(m, self.shift, self.product.latency_cycles - 1, name="shift")
        m.d.comb += [
            self.product.numbers.eq(self.numbers),
            self.product.ones.eq(self.ones),
            self.product.mantissa.eq(self.mantissa),
            self.aligner.numbers.eq(self.product.products),
            self.aligner.shift.eq(shift - NOISE_BITS),
        ]
        for lane in range(self.lanes):
            m.d.comb += self.terms[lane].eq(self._round(m, lane))
        return m

    def _round(self, m: Module, lane: int) -> Value:
        """A positive number that its noise has made negative was the greatest one."""
        aligner = self.aligner
        kept, sign = aligner.kept[lane], aligner.signs[lane]
        total = Signal(aligner.keep + 1, name=f"total_{lane}", reset_less=True)
        negative = Signal(name=f"negative_{lane}", reset_less=True)
        large = Signal(name=f"large_{lane}", reset_less=True)
        term = Signal(shape_of("term"), name=f"term_{lane}", reset_less=True)
        beyond = large | (~negative & total[-1])
        limit = (~negative).replicate(len(term) - 1)
        whole = total[NOISE_BITS:-1]
        m.d.sync += [
            total.eq(Cat(kept, sign) + self.noise[lane]),
            negative.eq(sign),
            large.eq(aligner.large[lane]),
            term.eq(Cat(Mux(beyond, limit, whole), Mux(beyond, negative, total[-1]))),
        ]
        return term
