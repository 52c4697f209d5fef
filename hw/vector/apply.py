"""E becomes the quantized error of a convolution's output: batch norm's way back."""

from amaranth.hdl import Module, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.delay import delayed
from fractrain.hw.vector.clip import Clip, ClipControl
from fractrain.hw.vector.dsp_slice import Base, First, SlicePlan, dsp_slice, steer
from fractrain.hw.vector.noise import ERROR_WIDTHS, LOWEST, Noise
from fractrain.hw.vector.words import bits_of, shape_of

__all__ = ["Applier"]

ERROR_TOP = numerics.ERROR_WORD - 1
"""Bit of W that is the sign of e, however many bits e has: bits and fraction are 32 together."""


class Applier(wiring.Component):
    """W = (16·E − T₁')·A + B̄·x̂·2^(7−g) and e = clip_b(⌊W·2^−F + (2u + 1)/512⌋) of ``lanes`` pixels
    of a channel, F = 32 − b (docs/numerics.md, Back).

    Members, in the cycle of the beat unless another is given
    -------
    bits : In, at `BITS_CYCLE`     of e, 1 .. 12
    numbers : In(ArrayLayout(signed, lanes))     E
    mean, factor : In(signed)                    T₁' and A of the channel
    slope : In(signed), normalized : In(ArrayLayout(signed(11), lanes)), at `SLOPE_CYCLE`
                                                 B̄ of the channel, and x̂, lifted
    random : In(ArrayLayout(8, lanes)), at `RANDOM_CYCLE`    u
    sums : Out(ArrayLayout(signed(39), lanes)), after ``sum_cycles``    W, whose greatest magnitude
                                                 is `hw.vector.peak`'s
    errors : Out(ArrayLayout(signed(12), lanes)), after ``latency_cycles``    e·2^(12−b)

    Timing: a beat a cycle, flow-through, no back-pressure. Three DSP48E1 a lane in a cascade: two
    products, and the noise.
    Errors: `ParameterError` for no lane.
    """

    CENTERED, SLOPED = SlicePlan(First.DIFFERENCE), SlicePlan(cascaded=True)
    SLOPE_CYCLE = CENTERED.latency_cycles - SLOPED.enable_cycle
    # the noise is added a cycle after the slope
    _NOISE_CYCLE = SLOPE_CYCLE + 1 + SLOPED.control_cycle
    RANDOM_CYCLE = _NOISE_CYCLE - Noise.latency_cycles
    BITS_CYCLE = RANDOM_CYCLE - 1

    def __init__(self, lanes: int, *, primitives: bool = False) -> None:
        if lanes < 1:
            raise ParameterError("lanes", lanes, "at least 1")
        self.lanes, self.primitives = lanes, primitives
        super().__init__(
            {
                "bits": In(range(max(ERROR_WIDTHS) + 1)),
                "numbers": In(data.ArrayLayout(shape_of("E"), lanes)),
                "mean": In(shape_of("T₁'")),
                "factor": In(shape_of("A")),
                "slope": In(shape_of("B̄")),
                "normalized": In(data.ArrayLayout(signed(numerics.LIFTED_BITS), lanes)),
                "random": In(data.ArrayLayout(unsigned(numerics.RANDOM_BITS), lanes)),
                "sums": Out(data.ArrayLayout(shape_of("W"), lanes)),
                "errors": Out(data.ArrayLayout(signed(numerics.MAX_ERROR_BITS), lanes)),
            }
        )

    @property
    def sum_cycles(self) -> int:
        return self.SLOPE_CYCLE + self.SLOPED.latency_cycles

    @property
    def latency_cycles(self) -> int:
        """The sum, its noise, the clipping."""
        return self.sum_cycles + 1 + Clip.latency_cycles

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.noise = noise = Noise(self.lanes)
        m.submodules.control = control = error_control()
        m.d.comb += [
            noise.bits.eq(self.bits),
            noise.random.eq(self.random),
            # the sum with its noise, and so its control, is a cycle after the sum
            control.bits.eq(delayed(m, self.bits, self.sum_cycles - self.BITS_CYCLE, name="bits")),
        ]
        for lane in range(self.lanes):
            self._lane(m, lane, noise, control)
        return m

    def _lane(self, m: Module, lane: int, noise: Noise, control: ClipControl) -> None:
        plans = {"centered": self.CENTERED, "sloped": self.SLOPED, "noisy": self.SLOPED}
        slices = []
        for name, plan in plans.items():
            slices.append(dsp_slice(plan, primitives=self.primitives))
            m.submodules[f"{name}_{lane}"] = slices[-1]
        centered, sloped, noisy = slices
        m.submodules[f"clip_{lane}"] = clip = error_clip()
        m.d.comb += [
            centered.d.eq(self.numbers[lane] << numerics.MEAN_FRACTION),
            centered.a.eq(self.mean),
            centered.b.eq(self.factor),
            sloped.a.eq(self.slope),
            sloped.b.eq(self.normalized[lane]),
            sloped.control.eq(steer(Base.BELOW)),
            sloped.below.eq(centered.cascade),
            noisy.c.eq(noise.noise[lane] << LOWEST),
            noisy.control.eq(steer(Base.BELOW, addend=1)),
            noisy.below.eq(sloped.cascade),
            clip.number.eq(noisy.p),
            clip.control.eq(control.control),
            self.sums[lane].eq(sloped.p),
            self.errors[lane].eq(clip.result),
        ]


def error_clip() -> Clip:
    """Of W + noise to e."""
    return Clip(bits_of("W + noise"), ERROR_TOP, numerics.MAX_ERROR_BITS)


def error_control() -> ClipControl:
    """Of `error_clip`."""
    return ClipControl(numerics.MAX_ERROR_BITS, min(ERROR_WIDTHS), max(ERROR_WIDTHS))
