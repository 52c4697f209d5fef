"""Master weights become the weights of a step, in the bits of a slot."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.flow.delay import delayed
from fractrain.hw.vector.align import Aligner
from fractrain.hw.vector.scale import LongProduct
from fractrain.hw.vector.words import bits_of, shape_of

__all__ = ["WeightQuantizer"]

RESULT_BITS = numerics.MAX_WEIGHT_BITS


class WeightQuantizer(wiring.Component):
    """q = clip_b(round(w·m · 2^−k)) of ``lanes`` master weights (docs/numerics.md, Weights).

    Members
    -------
    weights : In(ArrayLayout(signed(32), lanes))
    mantissa : In(unsigned(17)), shift : In     m, its top bit set, and k, `LEAST_SHIFT` ..
                       `MOST_SHIFT`: one beyond gives what the nearest gives
    bits : In          b, 1 .. 8
    results : Out(ArrayLayout(signed(8), lanes))

    Timing: ``latency_cycles``, a set of weights a cycle, each with factor and bits of its own.
    Flow-through, no back-pressure. Two DSP48E1 a lane.
    Errors: those of `LongProduct`.
    """

    LEAST_SHIFT = numerics.MULTIPLIER_BITS - 1 - RESULT_BITS
    """Farther to the left every product but 0 is clipped: it is 2^16 at least."""
    MOST_SHIFT = bits_of("product")
    """Farther to the right every product rounds to 0."""

    def __init__(self, lanes: int, *, primitives: bool = False) -> None:
        self.lanes = lanes
        self.product = LongProduct(lanes, primitives=primitives)
        # one bit of fraction, which rounds, and one more of the result than it can have
        self.dropped = self.LEAST_SHIFT - 1
        self.aligner = Aligner(
            lanes,
            bits_of("product") - self.dropped,
            RESULT_BITS + 1,
            left=0,
            right=self.MOST_SHIFT - self.LEAST_SHIFT,
        )
        super().__init__(
            {
                "weights": In(data.ArrayLayout(shape_of("w"), lanes)),
                "mantissa": In(numerics.MULTIPLIER_BITS),
                "shift": In(range(self.MOST_SHIFT + 1)),
                "bits": In(range(RESULT_BITS + 1)),
                "results": Out(data.ArrayLayout(signed(RESULT_BITS), lanes)),
            }
        )

    @property
    def _aligned_cycle(self) -> int:
        return self.product.latency_cycles + self.aligner.latency_cycles

    @property
    def latency_cycles(self) -> int:
        """Rounding, the comparison, clipping."""
        return self._aligned_cycle + 3

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.product, m.submodules.aligner = self.product, self.aligner
        shift = delayed(m, self.shift, self.product.latency_cycles - 1, name="shift")
        bits = delayed(m, self.bits, self._aligned_cycle, name="bits")
        above = Signal(RESULT_BITS, reset_less=True)
        m.d.sync += above.eq(Cat(bits <= place + 1 for place in range(RESULT_BITS)))
        m.d.comb += [
            self.product.numbers.eq(self.weights),
            self.product.mantissa.eq(self.mantissa),
            self.aligner.shift.eq(shift - self.LEAST_SHIFT),
        ]
        for lane in range(self.lanes):
            product = Value.cast(self.product.products[lane])
            m.d.comb += [
                self.aligner.numbers[lane].eq(product[self.dropped :].as_signed()),
                self.results[lane].eq(self._clip(m, lane, above)),
            ]
        return m

    def _clip(self, m: Module, lane: int, above: Value) -> Value:
        """``above``: the sign's place among b bits, and all higher ones."""
        aligner = self.aligner
        kept, sign = aligner.kept[lane], aligner.signs[lane]
        rounded = Signal(RESULT_BITS + 1, name=f"rounded_{lane}", reset_less=True)
        negative = Signal(name=f"negative_{lane}", reset_less=True)
        large = Signal(name=f"large_{lane}", reset_less=True)
        m.d.sync += [
            rounded.eq(Cat(kept[1:], sign) + kept[0]),
            negative.eq(sign),
            large.eq(aligner.large[lane]),
        ]
        word, top = rounded[:-1], rounded[-1]
        high, low = (Signal(name=f"{side}_{lane}", reset_less=True) for side in ("high", "low"))
        value = Signal(RESULT_BITS, name=f"value_{lane}", reset_less=True)
        result = Signal(RESULT_BITS, name=f"result_{lane}", reset_less=True)
        least = ~(word & ~above).any()  # of those that b bits have in two's complement
        later = delayed(m, above, 1, name=f"above_{lane}")
        lowest = later | 1
        m.d.sync += [
            high.eq(~negative & (large | top | (word & above).any())),
            low.eq(negative & (large | (top & (least | (~word & above).any())))),
            value.eq(word),
            result.eq(Mux(high, ~later, Mux(low, lowest, value))),
        ]
        return result.as_signed()
