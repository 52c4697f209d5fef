"""What the range of a tensor's weights is made of."""

from amaranth.hdl import Array, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.flow.delay import delayed
from fractrain.hw.vector.dsp_slice import Base, SlicePlan, dsp_slice, steer
from fractrain.hw.vector.peak import Peak
from fractrain.hw.vector.words import bits_of, shape_of

__all__ = ["WeightStatistics"]


class WeightStatistics(wiring.Component):
    """max|w| and Σs², s = sat16(round(w · 2^−16)), of a tensor's weights, ``lanes`` a cycle
    (docs/numerics.md, Weights).

    Members
    -------
    weights : In(ArrayLayout(signed(32), lanes)), take : In(lanes)    those that count
    clear : In(1)        forget what was before; weights taken with it count
    collect : In(1)      weights have ended; takes nothing until ``done``
    greatest : Out(unsigned(32)), squares : Out(unsigned(48)), while ``done``
    done : Out(1)        from ``collect_cycles`` after ``collect`` until ``clear``

    Timing: weights each cycle. A DSP48E1 a lane holds its own sum; ``collect`` adds those up.
    Numbers: exact for 2^17 weights (`numerics.MAX_WEIGHTS`).
    Errors: those of `Peak`.
    """

    PLAN = SlicePlan()
    SQUARE_CYCLES = 1 + PLAN.latency_cycles

    def __init__(self, lanes: int, *, primitives: bool = False) -> None:
        self.lanes, self.primitives = lanes, primitives
        self.peak = Peak(lanes, bits_of("w"), primitives=primitives)
        super().__init__(
            {
                "weights": In(data.ArrayLayout(shape_of("w"), lanes)),
                "take": In(lanes),
                "clear": In(1),
                "collect": In(1),
                "greatest": Out(unsigned(bits_of("w"))),
                "squares": Out(unsigned(numerics.SQUARED_SUM_BITS)),
                "done": Out(1),
            }
        )

    @property
    def collect_cycles(self) -> int:
        """The last squares, each lane in turn, its choice and its addition."""
        return self.SQUARE_CYCLES + self.lanes + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.peak = peak = self.peak
        m.d.comb += [
            peak.numbers.eq(self.weights),
            peak.take.eq(self.take),
            peak.clear.eq(self.clear),
            peak.collect.eq(self.collect),
            self.greatest.eq(peak.greatest),
        ]
        cycles = 1 + self.PLAN.control_cycle
        clear = delayed(m, self.clear, cycles, name="clear", reset_less=False)
        sums = [self._square(m, lane, clear) for lane in range(self.lanes)]
        self._collect(m, sums)
        return m

    def _square(self, m: Module, lane: int, clear: Value) -> Value:
        """Σs² of a lane, `SQUARE_CYCLES` after its weight."""
        m.submodules[f"slice_{lane}"] = each = dsp_slice(self.PLAN, primitives=self.primitives)
        weight, low = Value.cast(self.weights[lane]), numerics.SQUARED_SHIFT
        short = Signal(shape_of("s"), name=f"short_{lane}", reset_less=True)
        rounded = weight[low:].as_signed() + weight[low - 1]
        # rounding exceeds the greatest only
        exceeds = ~weight[-1] & rounded[len(short) - 1]
        greatest = (1 << len(short) - 1) - 1
        m.d.sync += short.eq(Mux(exceeds, greatest, rounded))
        with m.If(~self.take[lane]):
            m.d.sync += short.eq(0)
        m.d.comb += [each.a.eq(short), each.b.eq(short)]
        with m.If(clear):
            m.d.comb += each.control.eq(steer(Base.ZERO))
        with m.Else():
            m.d.comb += each.control.eq(steer(Base.VALUE))
        return each.p

    def _collect(self, m: Module, sums: list[Value]) -> None:
        begins = delayed(m, self.collect, self.SQUARE_CYCLES, name="begins", reset_less=False)
        lane, running = Signal(range(max(2, self.lanes))), Signal()
        last = lane == self.lanes - 1
        chosen, total = Signal.like(self.squares), Signal.like(self.squares)
        adds = delayed(m, running, 1, name="adds", reset_less=False)
        ends = delayed(m, running & last, 1, name="ends", reset_less=False)
        m.d.sync += chosen.eq(Array(sums)[lane])
        with m.If(begins):
            m.d.sync += [lane.eq(0), running.eq(1), total.eq(0)]
        with m.Elif(running):
            m.d.sync += [lane.eq(lane + 1), running.eq(~last)]
        with m.If(adds):
            m.d.sync += total.eq(total + chosen)
        with m.If(self.clear | self.collect):
            m.d.sync += self.done.eq(0)
        with m.Elif(ends):
            m.d.sync += self.done.eq(1)
        m.d.comb += self.squares.eq(total)
