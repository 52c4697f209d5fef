"""The lanes of the vector unit: both passes over pixels on three DSP slices each."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.delay import delayed
from fractrain.hw.vector.apply import error_clip, error_control
from fractrain.hw.vector.clip import Clip
from fractrain.hw.vector.dsp_slice import Base, First, SlicePlan, dsp_slice, steer
from fractrain.hw.vector.form import (
    LIFTED_SHAPE,
    OFFSET_SHAPE,
    RESIDUAL_FRACTION,
    check_residual_bits,
    positive,
)
from fractrain.hw.vector.half import half
from fractrain.hw.vector.levels import Leveler, LevelerControl
from fractrain.hw.vector.noise import ERROR_WIDTHS, LOWEST, SPAN, Noise
from fractrain.hw.vector.normalize import (
    FORMED_WIDTHS,
    PRODUCT_TOP,
    Keeper,
    formed_clip,
    formed_control,
)
from fractrain.hw.vector.words import bits_of, shape_of

__all__ = ["VectorLanes", "lanes_mode"]


def lanes_mode(residual_bits: int = numerics.MAX_RESIDUAL_BITS) -> data.StructLayout:
    """What a pass is, and the bits of its slot.

    applies : `Applier`'s pass, else `Former`'s
    stored : x̂ is given, else made of y; it is always given where it is applied. Of each beat, in
        the cycle of the second slice's factors
    normalized_bits : of x̂ as z is formed from it, 4 .. 12; 0 if it is applied
    bits, residual_bits : of a and r
    error_bits : of e; 0 if it is formed
    """
    return data.StructLayout(
        {
            "applies": 1,
            "stored": 1,
            "normalized_bits": range(max(FORMED_WIDTHS) + 1),
            "bits": range(numerics.MAX_ACTIVATION_BITS + 1),
            "residual_bits": range(residual_bits + 1),
            "error_bits": range(max(ERROR_WIDTHS) + 1),
        }
    )


class VectorLanes(wiring.Component):
    """`Normalizer`, `Keeper`, `Former` and `Applier` of ``lanes`` pixels of a channel, one pass or
    the other, on the same three DSP slices a lane:

        centered   (16·y − μ')·M + half          (16·E − T₁')·A
        sloped     G·x̂ + residual's              B̄·x̂ + centered's: W
        third      ρ·r + B                       W + noise

    Members, in the cycle of the second slice's factors unless another is given
    -------
    mode : In(`lanes_mode`)     from two cycles before the first beat's first port on, until the
                                last beat has left
    numbers : In(ArrayLayout(signed, lanes)), mean : In(signed), factor : In(signed(18)), at
                 `FORM_CYCLE` or `APPLY_CYCLE`       y, μ', M or E, T₁', A
    residual : In(ArrayLayout(unsigned, lanes)), residual_factor, offset : In, at `RESIDUAL_CYCLE`
                                                     r, ρ, ΣB
    wide : In(1), kept_bits : In, a cycle ahead      as `Keeper`
    normalized : In(ArrayLayout(signed(12), lanes))  x̂ that is stored: lifted, or of 12 bits
    slope : In(signed(25))                           G, lifted, or B̄
    first : In(1)                                    z begins
    random : In(ArrayLayout(8, lanes))               u
    sums : Out(ArrayLayout(signed(39), lanes)), after ``sum_cycles``     z·2^7 or W, for the peak
    kept, after ``kept_cycles``; activations, stream, mask, after ``form_cycles``; errors, after
    ``apply_cycles`` : Out, as there

    Timing: a beat a cycle, flow-through, no back-pressure.
    Errors: as `Former`.
    """

    CENTERED, SLOPED = SlicePlan(First.DIFFERENCE), SlicePlan(cascaded=True)
    FORM_CYCLE = -CENTERED.latency_cycles - Clip.latency_cycles
    APPLY_CYCLE = SLOPED.enable_cycle - CENTERED.latency_cycles
    RESIDUAL_CYCLE = SLOPED.control_cycle - SLOPED.latency_cycles
    sum_cycles = SLOPED.latency_cycles
    kept_cycles = Keeper.latency_cycles
    form_cycles = sum_cycles + Leveler.latency_cycles
    apply_cycles = sum_cycles + 1 + Clip.latency_cycles

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
        self.most_residual_bits = most_residual_bits
        self.keeper = Keeper(lanes)
        keeper = self.keeper.signature.members
        residual, stored = unsigned(most_residual_bits), signed(numerics.WIDE_BITS)

        def beat(shape: object) -> data.ArrayLayout:
            return data.ArrayLayout(shape, lanes)

        super().__init__(
            {
                "mode": In(lanes_mode(most_residual_bits)),
                "numbers": In(beat(shape_of("y"))),
                "mean": In(shape_of("μ'")),
                "factor": In(shape_of("A")),
                "residual": In(beat(residual)),
                "residual_factor": In(shape_of("ρ")),
                "offset": In(OFFSET_SHAPE),
                "wide": keeper["wide"],
                "kept_bits": keeper["bits"],
                "normalized": In(beat(stored)),
                "slope": In(LIFTED_SHAPE),
                "first": In(1),
                "random": In(beat(unsigned(numerics.RANDOM_BITS))),
                "sums": Out(beat(shape_of("W"))),
                "kept": keeper["kept"],
                "activations": Out(beat(unsigned(numerics.MAX_ACTIVATION_BITS))),
                "stream": Out(beat(residual)),
                "mask": Out(lanes),
                "errors": Out(beat(signed(numerics.MAX_ERROR_BITS))),
            }
        )
        self._normal_control, self._error_control = formed_control(), error_control()
        self._levels = LevelerControl(numerics.MAX_ACTIVATION_BITS, 1)
        self._stream_levels = LevelerControl(most_residual_bits, numerics.MIN_RESIDUAL_BITS)
        self._noise = Noise(lanes)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        addend = self._control(m)
        rounding = half(m, self.mode.normalized_bits, FORMED_WIDTHS, PRODUCT_TOP, name="half")
        first = delayed(m, self.first, self.SLOPED.control_cycle, name="first")
        stored = self.mode.stored | self.mode.applies
        for lane in range(self.lanes):
            centered, sloped, third = self._slices(m, lane)
            m.submodules[f"normal_{lane}"] = normal = formed_clip()
            x = Signal(signed(numerics.WIDE_BITS), name=f"x_{lane}")
            m.d.comb += [
                centered.c.eq(rounding),
                normal.number.eq(centered.p),
                normal.control.eq(self._normal_control.control),
                x.eq(Mux(stored, self.normalized[lane], normal.result)),
                self.keeper.normalized[lane].eq(x),
                sloped.b.eq(x),
                sloped.c.eq(third.p >> RESIDUAL_FRACTION << numerics.LIFTED_FRACTION),
                third.c.eq(self._third_addend(addend, lane)),
                self.sums[lane].eq(sloped.p),
            ]
            self._choose_bases(m, sloped, third, first)
            self._finish(m, lane, sloped.p, third.p)
        return m

    def _control(self, m: Module) -> Value:
        """The bits of the slot; half and ΣB, which the third slice adds if it forms."""
        names = ("keeper", "normal_control", "error_control", "levels", "stream_levels", "noise")
        for name in names:
            m.submodules[name] = self.keeper if name == "keeper" else getattr(self, f"_{name}")
        mode, keeper = self.mode, self.keeper
        whole = (self.offset << RESIDUAL_FRACTION) + (1 << RESIDUAL_FRACTION - 1)
        addend = Signal(whole.shape(), reset_less=True)
        m.d.sync += addend.eq(Mux(mode.applies, 0, whole))
        m.d.comb += [
            keeper.wide.eq(self.wide),
            keeper.bits.eq(self.kept_bits),
            self.kept.eq(keeper.kept),
            self._normal_control.bits.eq(mode.normalized_bits),
            self._error_control.bits.eq(mode.error_bits),
            self._levels.bits.eq(mode.bits),
            self._stream_levels.bits.eq(mode.residual_bits),
            self._noise.bits.eq(mode.error_bits),
            self._noise.random.eq(self.random),
            self._noise.other.eq(whole[LOWEST : LOWEST + SPAN]),
        ]
        return addend

    def _slices(self, m: Module, lane: int) -> list[wiring.Component]:
        plans = {"centered": self.CENTERED, "sloped": self.SLOPED, "third": self.SLOPED}
        slices = []
        for name, plan in plans.items():
            slices.append(dsp_slice(plan, primitives=self.primitives))
            m.submodules[f"{name}_{lane}"] = slices[-1]
        centered, sloped, third = slices
        residual = self.residual[lane] << numerics.MAX_RESIDUAL_BITS - self.most_residual_bits
        m.d.comb += [
            centered.d.eq(self.numbers[lane] << numerics.MEAN_FRACTION),
            centered.a.eq(self.mean),
            centered.b.eq(self.factor),
            centered.control.eq(steer(Base.C)),
            sloped.a.eq(self.slope),
            sloped.below.eq(centered.cascade),
            third.a.eq(self.residual_factor),
            third.b.eq(residual),
            third.below.eq(sloped.cascade),
        ]
        return slices

    def _third_addend(self, addend: Value, lane: int) -> Value:
        """ΣB and half, or the noise, which is a part of their places."""
        high = addend[LOWEST + SPAN :]
        return Cat(addend[:LOWEST], self._noise.noise[lane], high).as_signed()

    def _choose_bases(
        self, m: Module, sloped: wiring.Component, third: wiring.Component, first: Value
    ) -> None:
        with m.If(self.mode.applies):
            m.d.comb += [
                sloped.control.eq(steer(Base.BELOW)),
                third.control.eq(steer(Base.BELOW, addend=1)),
            ]
        with m.Else():
            m.d.comb += third.control.eq(steer(Base.C))
            with m.If(first):
                m.d.comb += sloped.control.eq(steer(Base.C))
            with m.Else():
                m.d.comb += sloped.control.eq(steer(Base.VALUE))

    def _finish(self, m: Module, lane: int, total: Value, noisy: Value) -> None:
        m.submodules[f"leveler_{lane}"] = leveler = Leveler(numerics.MAX_ACTIVATION_BITS)
        m.submodules[f"stream_{lane}"] = stream = Leveler(self.most_residual_bits)
        m.submodules[f"error_{lane}"] = error = error_clip()
        z = total[numerics.LIFTED_FRACTION :][: bits_of("z")]
        m.d.comb += [
            leveler.control.eq(self._levels.control),
            stream.control.eq(self._stream_levels.control),
            leveler.z.eq(z),
            stream.z.eq(z),
            error.number.eq(noisy),
            error.control.eq(self._error_control.control),
            self.activations[lane].eq(leveler.result),
            self.stream[lane].eq(stream.result),
            self.mask[lane].eq(positive(m, z, f"{lane}")),
            self.errors[lane].eq(error.result),
        ]
