"""x̂ becomes z, and z activations, residual and mask."""

from amaranth.hdl import Module, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.delay import delayed
from fractrain.hw.vector.dsp_slice import Base, SlicePlan, dsp_slice, steer
from fractrain.hw.vector.levels import Leveler, LevelerControl
from fractrain.hw.vector.normalize import FORMED_WIDTHS
from fractrain.hw.vector.words import bits_of, shape_of

__all__ = ["FactorLift", "Former"]

OFFSET_SHAPE = signed(numerics.BETA_BITS + 1)
"""Of ΣB, of two batch norms at most."""
LIFTED_SHAPE = signed(numerics.FACTOR_BITS + numerics.LIFTED_FRACTION)
"""Of G, lifted."""
SUM_SHAPE = signed(bits_of("z") + numerics.LIFTED_FRACTION)
"""Of z·2^7."""
RESIDUAL_FRACTION = numerics.MAX_RESIDUAL_BITS - numerics.MIN_RESIDUAL_BITS
"""Of ρ·r with r at the top of its word, whatever its bits are."""


class FactorLift(wiring.Component):
    """G·2^g for x̂ of b bits, g = b − 4, or G·2^7 for the 12 bits that are not lifted: times x̂ of
    `hw.vector.normalize` it is G·x̂·2^7.

    Members
    -------
    bits : In    b, 4 .. 12
    factor : In(signed), lifted : Out(signed)    G, and a cycle later G lifted: 25 bits
    """

    latency_cycles = 1

    def __init__(self) -> None:
        super().__init__(
            {
                "bits": In(range(max(FORMED_WIDTHS) + 1)),
                "factor": In(shape_of("G")),
                "lifted": Out(LIFTED_SHAPE),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lifted = Signal.like(self.lifted, reset_less=True)
        with m.Switch(self.bits):
            for bits in FORMED_WIDTHS:
                fraction = min(bits - numerics.FORMED_RANGE_BITS, numerics.LIFTED_FRACTION)
                with m.Case(bits):
                    m.d.sync += lifted.eq(self.factor << fraction)
        m.d.comb += self.lifted.eq(lifted)
        return m


class Former(wiring.Component):
    """z = Σ (G·x̂ + B) + round(ρ·r · 2^−t), and a, r, mask from it (docs/numerics.md, z,
    activations, residual, mask), of ``lanes`` pixels of a channel.

    Two batch norms take two beats, one behind the other: ``first`` with the first, whose ``offset``
    is the sum of both B, and whose residual counts.

    Members, in the cycle of the beat unless another is given
    -------
    residual, residual_factor : In, at `RESIDUAL_CYCLE`    r at the top of its word, of 16 bits if
                     they are the most: r·2^(16−c); and ρ, 0 for none
    offset : In(signed(31)), at `OFFSET_CYCLE`     ΣB of the channel
    factor : In(signed(25))     G of the channel, from `FactorLift`
    normalized : In(ArrayLayout(signed(12), lanes))    x̂, lifted
    first : In(1)    z begins
    bits, residual_bits : In    of a, 1 .. 8, and of r, 8 .. ``most_residual_bits``
    sums : Out(ArrayLayout(signed(39), lanes)), after ``sum_cycles``    z·2^7, whose greatest is
                     `hw.vector.peak`'s, of those above 0
    After ``latency_cycles``:
    activations : Out(ArrayLayout(8, lanes))    a·2^(8−b)
    stream : Out(ArrayLayout(16, lanes))        r, likewise
    mask : Out(lanes)                           z > 0

    Timing: a beat a cycle, flow-through, no back-pressure. Two DSP48E1 a lane, which do all
    additions of z: ΣB + ρ·r leaves one of them as what the other adds to.
    ``most_residual_bits``: 8 .. 16; fewer take fewer look-up tables.
    Errors: `ParameterError` for no lane, or other bits than these.
    """

    def __init__(
        self,
        lanes: int,
        most_residual_bits: int = numerics.MAX_RESIDUAL_BITS,
        *,
        primitives: bool = False,
    ) -> None:
        if lanes < 1:
            raise ParameterError("lanes", lanes, "at least 1")
        check_residual_bits(most_residual_bits)
        self.lanes, self.primitives = lanes, primitives
        self.most_residual_bits = residual = most_residual_bits
        activation = numerics.MAX_ACTIVATION_BITS
        super().__init__(
            {
                "residual": In(data.ArrayLayout(unsigned(residual), lanes)),
                "residual_factor": In(shape_of("ρ")),
                "offset": In(OFFSET_SHAPE),
                "factor": In(LIFTED_SHAPE),
                "normalized": In(data.ArrayLayout(signed(numerics.WIDE_BITS), lanes)),
                "first": In(1),
                "bits": In(range(activation + 1)),
                "residual_bits": In(range(residual + 1)),
                "sums": Out(data.ArrayLayout(SUM_SHAPE, lanes)),
                "activations": Out(data.ArrayLayout(unsigned(activation), lanes)),
                "stream": Out(data.ArrayLayout(unsigned(residual), lanes)),
                "mask": Out(lanes),
            }
        )

    PLAN = SlicePlan()
    RESIDUAL_CYCLE = PLAN.control_cycle - PLAN.latency_cycles
    OFFSET_CYCLE = RESIDUAL_CYCLE + PLAN.control_cycle

    @property
    def sum_cycles(self) -> int:
        return self.PLAN.latency_cycles

    @property
    def latency_cycles(self) -> int:
        return self.sum_cycles + Leveler.latency_cycles

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first = delayed(m, self.first, self.PLAN.control_cycle, name="first")
        m.submodules.control = control = LevelerControl(numerics.MAX_ACTIVATION_BITS, 1)
        m.submodules.stream_control = stream_control = LevelerControl(
            self.most_residual_bits, numerics.MIN_RESIDUAL_BITS
        )
        early = self.sum_cycles - 1
        m.d.comb += [
            control.bits.eq(delayed(m, self.bits, early, name="bits")),
            stream_control.bits.eq(delayed(m, self.residual_bits, early, name="residual_bits")),
        ]
        for lane in range(self.lanes):
            z = self._sum(m, lane, first)
            m.submodules[f"leveler_{lane}"] = leveler = Leveler(numerics.MAX_ACTIVATION_BITS)
            m.submodules[f"stream_{lane}"] = stream = Leveler(self.most_residual_bits)
            m.d.comb += [
                leveler.control.eq(control.control),
                stream.control.eq(stream_control.control),
                leveler.z.eq(z),
                stream.z.eq(z),
                self.activations[lane].eq(leveler.result),
                self.stream[lane].eq(stream.result),
                self.mask[lane].eq(positive(m, z, f"{lane}")),
            ]
        return m

    def _sum(self, m: Module, lane: int, first: Value) -> Value:
        """z, `sum_cycles` after the beat."""
        m.submodules[f"residual_{lane}"] = below = dsp_slice(self.PLAN, primitives=self.primitives)
        m.submodules[f"slice_{lane}"] = each = dsp_slice(self.PLAN, primitives=self.primitives)
        half = 1 << RESIDUAL_FRACTION - 1
        m.d.comb += [
            below.a.eq(self.residual_factor),
            below.b.eq(self.residual[lane] << numerics.MAX_RESIDUAL_BITS - self.most_residual_bits),
            below.c.eq((self.offset << RESIDUAL_FRACTION) + half),
            below.control.eq(steer(Base.C)),
            each.a.eq(self.factor),
            each.b.eq(self.normalized[lane]),
            each.c.eq(below.p >> RESIDUAL_FRACTION << numerics.LIFTED_FRACTION),
            self.sums[lane].eq(each.p),
        ]
        with m.If(first):
            m.d.comb += each.control.eq(steer(Base.C))
        with m.Else():
            m.d.comb += each.control.eq(steer(Base.VALUE))
        return each.p[numerics.LIFTED_FRACTION :]


def check_residual_bits(most: int) -> None:
    """`ParameterError` unless the most bits of a residual are a number of bits that it can have."""
    least, greatest = numerics.MIN_RESIDUAL_BITS, numerics.MAX_RESIDUAL_BITS
    if not least <= most <= greatest:
        raise ParameterError("most bits of a residual", most, f"{least}..{greatest}")


def positive(m: Module, z: Value, name: str) -> Value:
    """z > 0, two cycles later."""
    some, negative = (Signal(name=f"{part}_{name}", reset_less=True) for part in ("some", "minus"))
    positive = Signal(name=f"positive_{name}", reset_less=True)
    width = bits_of("z")
    m.d.sync += [
        some.eq(z[: width - 1].any()),
        negative.eq(z[width - 1]),
        positive.eq(some & ~negative),
    ]
    return positive
