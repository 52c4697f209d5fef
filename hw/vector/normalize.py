"""y becomes x̂, in the bits of a slot."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.delay import delayed
from fractrain.hw.vector.clip import Clip, ClipControl
from fractrain.hw.vector.dsp_slice import Base, First, SlicePlan, dsp_slice, steer
from fractrain.hw.vector.half import half
from fractrain.hw.vector.words import bits_of, shape_of

__all__ = ["Keeper", "Normalizer"]

FORMED_WIDTHS = range(numerics.MIN_NORMALIZED_BITS, numerics.WIDE_BITS + 1)
KEPT_WIDTHS = range(numerics.MIN_NORMALIZED_BITS, numerics.MAX_OUTER_BITS + 1)
PRODUCT_TOP = numerics.MEAN_FRACTION + numerics.RECIPROCAL_FRACTION + numerics.FORMED_RANGE_BITS - 1
"""Bit of (16y − μ')·M that is the sign of x̂, which reaches as far with any number of bits."""
KEPT_TOP = numerics.WIDE_BITS - numerics.FORMED_RANGE_BITS + numerics.OUTER_RANGE_BITS - 1
"""The same of the kept form, which reaches half as far, in x̂ of 12 bits."""


class Normalizer(wiring.Component):
    """x̂ = clip_b(round((16·y − μ')·M · 2^−(26−g))) of ``lanes`` pixels of a channel, g = b − 4
    (docs/numerics.md, x̂).

    x̂ leaves *lifted*: x̂·2^(7−g), in σ/2^7 whatever b is; of 12 bits, which are for forming only,
    as it is, in σ/2^8. So G·x̂ of all widths differ in G alone, and nothing downstream shifts by g.

    Members
    -------
    bits : In, a cycle ahead     b, 4 .. 12
    numbers : In(ArrayLayout(signed, lanes))     y
    mean : In(signed), reciprocal : In(unsigned)     μ' and M of the channel
    normalized : Out(ArrayLayout(signed(12), lanes))    x̂, lifted

    Timing: ``latency_cycles``, a beat a cycle, each with its channel and bits. Flow-through, no
    back-pressure. A DSP48E1 a lane.
    Errors: `ParameterError` for no lane.
    """

    def __init__(self, lanes: int, *, primitives: bool = False) -> None:
        if lanes < 1:
            raise ParameterError("lanes", lanes, "at least 1")
        self.lanes, self.primitives = lanes, primitives
        self.plan = SlicePlan(First.DIFFERENCE)
        super().__init__(
            {
                "bits": In(range(max(FORMED_WIDTHS) + 1)),
                "numbers": In(data.ArrayLayout(shape_of("y"), lanes)),
                "mean": In(shape_of("μ'")),
                "reciprocal": In(shape_of("M")),
                "normalized": Out(data.ArrayLayout(signed(numerics.WIDE_BITS), lanes)),
            }
        )

    @property
    def latency_cycles(self) -> int:
        return self.plan.latency_cycles + Clip.latency_cycles

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self.plan
        early = delayed(m, self.bits, plan.control_cycle, name="bits_early")
        rounding = half(m, early, FORMED_WIDTHS, PRODUCT_TOP, name="half")
        m.submodules.control = control = formed_control()
        late = plan.latency_cycles - plan.control_cycle
        m.d.comb += control.bits.eq(delayed(m, early, late, name="bits"))
        for lane in range(self.lanes):
            m.submodules[f"slice_{lane}"] = each = dsp_slice(plan, primitives=self.primitives)
            m.submodules[f"clip_{lane}"] = clip = formed_clip()
            m.d.comb += [
                each.d.eq(self.numbers[lane] << numerics.MEAN_FRACTION),
                each.a.eq(self.mean),
                each.b.eq(self.reciprocal),
                each.c.eq(rounding),
                each.control.eq(steer(Base.C)),
                clip.number.eq(each.p),
                clip.control.eq(control.control),
                self.normalized[lane].eq(clip.result),
            ]
        return m


def formed_clip() -> Clip:
    """Of (16y − μ')·M + half to x̂, lifted."""
    # half is below the product's second bit, so the sum has one bit more at most
    bits = bits_of("(16·y − μ')·M") + 1
    return Clip(bits, PRODUCT_TOP, numerics.WIDE_BITS, raised=True)


def formed_control() -> ClipControl:
    """Of `formed_clip`."""
    return ClipControl(numerics.WIDE_BITS, min(FORMED_WIDTHS), max(FORMED_WIDTHS), raised=True)


class Keeper(wiring.Component):
    """What is kept of x̂ for the way back, lifted: of x̂ of 12 bits clip_b(round(x̂ · 2^−(8−g))),
    g = b − 3; x̂ itself of all others.

    Members
    -------
    wide : In(1), a cycle ahead     x̂ has 12 bits
    bits : In, a cycle ahead        b, 4 .. 8
    normalized : In(ArrayLayout(signed(12), lanes))    of `Normalizer`
    kept : Out(ArrayLayout(signed(11), lanes))         lifted: x̂·2^(7−g)

    Timing: ``latency_cycles``, a beat a cycle. Flow-through, no back-pressure.
    """

    latency_cycles = 1 + Clip.latency_cycles + 1

    def __init__(self, lanes: int) -> None:
        if lanes < 1:
            raise ParameterError("lanes", lanes, "at least 1")
        self.lanes = lanes
        super().__init__(
            {
                "wide": In(1),
                "bits": In(range(max(KEPT_WIDTHS) + 1)),
                "normalized": In(data.ArrayLayout(signed(numerics.WIDE_BITS), lanes)),
                "kept": Out(data.ArrayLayout(signed(numerics.LIFTED_BITS), lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rounding = half(m, self.bits, KEPT_WIDTHS, KEPT_TOP, name="half")
        m.submodules.control = control = ClipControl(KEPT_TOP, min(KEPT_WIDTHS), max(KEPT_WIDTHS))
        m.d.comb += control.bits.eq(delayed(m, self.bits, 1, name="bits"))
        wide = delayed(m, self.wide, self.latency_cycles, name="wide")
        for lane in range(self.lanes):
            m.d.comb += self.kept[lane].eq(self._keep(m, lane, rounding, control, wide))
        return m

    def _keep(
        self, m: Module, lane: int, rounding: Value, control: ClipControl, wide: Value
    ) -> Value:
        total = Signal(signed(numerics.WIDE_BITS + 1), name=f"total_{lane}", reset_less=True)
        kept = Signal(signed(numerics.LIFTED_BITS), name=f"kept_{lane}", reset_less=True)
        clip = Clip(len(total), KEPT_TOP, KEPT_TOP)
        m.submodules[f"clip_{lane}"] = clip
        m.d.comb += [clip.number.eq(total), clip.control.eq(control.control)]
        # with reset: no shift registers, which take look-up tables
        cycles = self.latency_cycles - 1
        before = delayed(m, self.normalized[lane], cycles, name=f"before_{lane}", reset_less=False)
        m.d.sync += [
            total.eq(self.normalized[lane] + rounding),
            # half as far in half as large steps: the clipped word is lifted
            kept.eq(Mux(wide, clip.result, before)),
        ]
        return kept
