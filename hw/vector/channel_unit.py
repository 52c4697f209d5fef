"""What a chunk's sums say of a channel: mean and reciprocal root; the slopes of the way back."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.flow.delay import delayed
from fractrain.hw.vector.channel_program import (
    BACKWARD,
    FORWARD,
    PROGRAM,
    SKIP_TO,
    A,
    Act,
    Addend,
    B,
    Hold,
    Step,
)
from fractrain.hw.vector.divider import RoundingDivider
from fractrain.hw.vector.dsp_slice import SHIFT, Base, SlicePlan, dsp_slice, steer
from fractrain.hw.vector.long_register import LongRegister
from fractrain.hw.vector.lookup import short_lookup
from fractrain.hw.vector.reciprocal_table import ReciprocalTable
from fractrain.hw.vector.words import bits_of, shape_of

__all__ = ["ChannelUnit", "channel_result", "channel_task"]

PIXEL_BITS = (numerics.MAX_CHUNK_PIXELS - 1).bit_length()
"""Of n: a factor of a DSP slice has no more."""
RESULT_LOW = numerics.DISPERSION_BITS - numerics.FACTOR_BITS
"""Place of a result in the long register."""
FLOOR_BITS = numerics.LEAST_DEVIATION.bit_length() - 1
"""The least deviation is a power of two; its square has twice as many bits of zeros."""
COUNT = (
    RESULT_LOW
    - (numerics.ROOT_FRACTION - numerics.RECIPROCAL_FRACTION)
    - (numerics.DISPERSION_BITS - numerics.RADICAND_BITS) // 2
)
"""Bits by which n·r is aligned to M, of a D' that has its 64 bits."""
SLOPE_SHIFT = numerics.CROSS_FRACTION + numerics.LIFTED_FRACTION - numerics.MEAN_FRACTION
LEAST_SHIFT = 1 - numerics.FACTOR_BITS
MOST_SHIFT = bits_of("γC·M")


def channel_task() -> data.StructLayout:
    """The sums of a channel in a chunk of ``pixels`` n.

    forward : ``total`` Σy, ``product`` Σy²
    backward : ``total`` T₁, ``product`` 2^(7−g)·T₂ (x̂ lifted), ``reciprocal`` M, ``gain`` γC and
        ``shift``, as `ChannelUnit` takes it
    """
    return data.StructLayout(
        {
            "backward": 1,
            "pixels": PIXEL_BITS,
            "total": shape_of("Σy"),
            "product": numerics.SQUARES_BITS,
            "reciprocal": shape_of("M"),
            "gain": shape_of("γC"),
            "shift": signed(MOST_SHIFT.bit_length() + 1),
        }
    )


def channel_result() -> data.StructLayout:
    """forward : ``mean`` μ', ``reciprocal`` M, ``dispersion`` n·Σy² − (Σy)². backward : ``mean``
    T₁', ``factor`` A, ``slope`` B̄. The others are anything."""
    return data.StructLayout(
        {
            "dispersion": shape_of("D"),
            "mean": shape_of("μ'"),
            "reciprocal": shape_of("M"),
            "factor": shape_of("A"),
            "slope": shape_of("B̄"),
        }
    )


class ChannelUnit(wiring.Component):
    """Of one channel after the other (docs/numerics.md, Statistics of a chunk, Reciprocal root,
    Batch norm):

        forward   μ' = round(16·Σy / n),  M ≈ 2^22·n/√D',  D' = max(n·Σy² − (Σy)², n²·32²)
        backward  T₁' = round(16·T₁ / n),  A = sat18(round(γC·M · 2^−shift)),
                  B̄ = −clip25(round(A·T₂' · 2^−9)),  T₂' = round(2^(6−g)·T₂ / n)

    Members
    -------
    tasks : In(stream of `channel_task`), results : Out(stream of `channel_result`)
    busy : Out(1)

    Timing: a result at most ``most_cycles[backward]`` cycles after its task; the next task is taken
    in the cycle after the result. One multiplier, one divider, one register that is normalized; the
    steps are those of `hw.vector.channel_program`.
    Numbers: n is 1 .. 2^17 − 1; a shift is −17 .. 35, where one beyond gives what the nearest
    gives. Not here: n = 2^17, and running statistics mixed into those of the chunk. Who makes the
    tasks refuses both.
    """

    PLAN = SlicePlan()

    def __init__(self, *, primitives: bool = False) -> None:
        self.primitives = primitives
        self.divider = RoundingDivider(bits_of("T₂"), PIXEL_BITS, numerics.CROSS_MEAN_BITS)
        self.long = LongRegister()
        self.slice = dsp_slice(self.PLAN, primitives=primitives)
        super().__init__(
            {
                "tasks": In(stream.Signature(channel_task())),
                "results": Out(stream.Signature(channel_result())),
                "busy": Out(1),
            }
        )
        self.task = Signal(channel_task(), reset_less=True)
        self.found = Signal(channel_result(), reset_less=True)
        self.step = Signal(step_layout())
        self.begins, self.advance = Signal(), Signal()

    @property
    def most_cycles(self) -> tuple[int, int]:
        """From the task to the result, forward and backward."""
        return self._most_cycles(FORWARD), self._most_cycles(BACKWARD)

    def _most_cycles(self, steps: tuple[Step, ...]) -> int:
        """A division begins as the first step is fetched, and with `Act.DIVIDE`."""
        holds = {
            Hold.NORMALIZE: LongRegister.NORMALIZE_STEPS,
            Hold.ALIGN: LongRegister.ALIGN_STEPS,
        }
        cycle, division = FETCH_CYCLES, 1
        for step in steps[:-1]:
            cycle += holds.get(step.hold, 0)
            if step.hold is Hold.DIVIDE:
                cycle = max(cycle, division + self.divider.latency_cycles)
            if Act.DIVIDE in step.act:
                division = cycle
            cycle += 1
        return cycle

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.divider, m.submodules.long = self.divider, self.long
        m.submodules.slice = self.slice
        m.submodules.table = table = ReciprocalTable()
        low = numerics.DISPERSION_BITS - numerics.TABLE_INDEX_BITS
        m.d.comb += table.index.eq(self.long.value[low:])
        self._sequence(m)
        self._multiply(m, table.entry)
        self._align(m)
        self._divide(m)
        self._keep(m)
        return m

    def _sequence(self, m: Module) -> None:
        """A step is fetched while the one before is carried out."""
        place = Signal(range(len(PROGRAM)), reset_less=True)
        fetched = Signal(step_layout())
        idle = Signal(init=1)
        hold = self.step.hold
        handed = (hold == Hold.HAND_OVER) & self.results.ready
        with m.Switch(hold):
            with m.Case(Hold.NORMALIZE, Hold.ALIGN):
                m.d.comb += self.advance.eq(self.long.settled)
            with m.Case(Hold.DIVIDE):
                m.d.comb += self.advance.eq(self.divider.done)
            with m.Case(Hold.HAND_OVER):
                m.d.comb += self.advance.eq(0)
            with m.Default():
                m.d.comb += self.advance.eq(~idle)
        words = [_const(step).as_bits() for step in PROGRAM]
        size, primitives = step_layout().size, self.primitives
        m.d.comb += fetched.eq(
            short_lookup(m, words, size, place, name="program", primitives=primitives)
        )
        with m.If(self.advance):
            m.d.sync += [self.step.eq(fetched), place.eq(place + 1)]
            with m.If(self._acts(Act.SKIP) & ~self._floor_counts()):
                m.d.sync += place.eq(SKIP_TO)
        with m.If(handed):
            m.d.sync += [idle.eq(1), self.step.eq(_const(Step()))]
        m.d.sync += self.begins.eq(0)
        with m.If(idle & self.tasks.valid):
            first = Mux(self.tasks.payload.backward, len(FORWARD), 0)
            m.d.sync += [idle.eq(0), self.begins.eq(1), place.eq(first)]
            m.d.sync += self.task.eq(self.tasks.payload)
        m.d.comb += [
            self.tasks.ready.eq(idle),
            self.busy.eq(~idle),
            self.results.valid.eq(hold == Hold.HAND_OVER),
            self.results.payload.eq(self.found),
        ]

    def _acts(self, act: Act) -> Value:
        """Whether the step does ``act``."""
        return self.step.act[act.value.bit_length() - 1]

    def _floor_counts(self) -> Value:
        """D < n²·32²: a small D less n² in the slice is negative."""
        beyond = self.long.value[2 * (PIXEL_BITS + FLOOR_BITS) :].any()
        return self.slice.p[-1] & ~beyond

    def _multiply(self, m: Module, entry: Value) -> None:
        task, p, long = self.task, self.slice.p, self.long.value
        magnitude = Signal(bits_of("Σy") - 1, reset_less=True)
        m.d.sync += magnitude.eq(Mux(task.total < 0, -task.total, task.total))
        low, high = magnitude[:SHIFT], magnitude[SHIFT:]
        newton = p[numerics.NEWTON_SHIFT :][: numerics.NEWTON_BITS - numerics.NEWTON_SHIFT]
        firsts = {
            A.NOTHING: Const(0, 1),
            A.PIXELS: task.pixels,
            A.LOW: low,
            A.TWICE_HIGH: high << 1,
            A.HIGH: high,
            A.ENTRY: entry,
            A.RADICAND: long[numerics.DISPERSION_BITS - numerics.RADICAND_BITS :],
            A.NEWTON: newton,
            A.ROOT: p[numerics.ROOT_SHIFT :][: numerics.ROOT_BITS],
            A.RECIPROCAL: task.reciprocal,
            A.QUOTIENT: self.divider.quotient,
        }
        seconds = {
            B.PIXELS: task.pixels,
            B.PRODUCT_0: task.product[:SHIFT],
            B.PRODUCT_1: task.product[SHIFT : 2 * SHIFT],
            B.PRODUCT_2: task.product[2 * SHIFT :],
            B.LOW: low,
            B.HIGH: high,
            B.ENTRY: entry,
            B.SQUARE: p[numerics.SQUARE_SHIFT :][: numerics.SQUARE_BITS],
            B.GAIN: task.gain,
            B.FACTOR: self.found.factor,
        }
        addends = {
            Addend.RADICAND: long[2 * FLOOR_BITS :][: len(p)],
            Addend.NEWTON: Const(3 << numerics.NEWTON_FRACTION, len(p)),
            Addend.HALF: Const(1 << SLOPE_SHIFT - 1, len(p)),
        }
        # the base of a product is taken a cycle after its factors
        later = delayed(m, self.step, self.PLAN.control_cycle, name="step", reset_less=False)
        _choose(m, self.step.a, firsts, self.slice.a)
        _choose(m, self.step.b, seconds, self.slice.b)
        _choose(m, later.addend, addends, self.slice.c)
        m.d.comb += self.slice.control.eq(steer(later.base, negate=later.negate))

    def _align(self, m: Module) -> None:
        long = self.long
        floor = self._acts(Act.COUNT_FLOOR)
        count = Mux(floor, COUNT - FLOOR_BITS, COUNT)
        m.d.comb += [
            long.part.eq(self.slice.p),
            long.load.eq(Cat(map(self._acts, (Act.LOAD_0, Act.LOAD_1, Act.LOAD_2)))),
            long.normalize.eq(self.step.hold == Hold.NORMALIZE),
            long.align.eq(self.step.hold == Hold.ALIGN),
            long.set_count.eq(self._acts(Act.COUNT) | floor | self._acts(Act.COUNT_SHIFT)),
            long.count.eq(Mux(self._acts(Act.COUNT_SHIFT), RESULT_LOW - self.task.shift, count)),
        ]

    def _divide(self, m: Module) -> None:
        """16·T/n is 32·T/2n, and 2^(6−g)·T₂/n is 2^(7−g)·T₂/2n."""
        task, divider = self.task, self.divider
        total = task.total << numerics.MEAN_FRACTION + 1
        m.d.comb += [
            divider.start.eq(self.begins | self._acts(Act.DIVIDE)),
            divider.divisor.eq(task.pixels),
            divider.numerator.eq(Mux(self.begins, total, task.product.as_signed())),
        ]

    def _keep(self, m: Module) -> None:
        """B̄ is clipped a step before it is negated."""
        found, limit = self.found, (1 << numerics.SLOPE_BITS - 1) - 1
        exact = self.slice.p[SLOPE_SHIFT : bits_of("A·T₂'")].as_signed()
        clipped = Signal(signed(numerics.SLOPE_BITS), reset_less=True)
        # where D is compared with its floor it is whole, and not yet normalized
        with m.If(self._acts(Act.SKIP)):
            m.d.sync += found.dispersion.eq(self.long.value)
        m.d.sync += clipped.eq(Mux(exact > limit, limit, Mux(exact < -limit, -limit, exact)))
        for act, register, value in (
            (Act.RECIPROCAL, found.reciprocal, self.long.rounded),
            (Act.FACTOR, found.factor, self.long.rounded),
            (Act.MEAN, found.mean, self.divider.quotient),
            (Act.SLOPE, found.slope, -clipped),
        ):
            with m.If(self._acts(act)):
                m.d.sync += register.eq(value)


FETCH_CYCLES = 2
"""From the task to its first step."""


def step_layout() -> data.StructLayout:
    """A `Step`."""
    return data.StructLayout(
        {
            "a": A,
            "b": B,
            "base": Base,
            "addend": Addend,
            "negate": 1,
            "hold": Hold,
            "act": len(Act),
        }
    )


def _const(step: Step) -> data.Const:
    return step_layout().const(
        {
            "a": step.a,
            "b": step.b,
            "base": step.base,
            "addend": step.addend,
            "negate": step.negate,
            "hold": step.hold,
            "act": step.act.value,
        }
    )


def _choose(m: Module, select: Value, ways: Mapping[Any, Value], chosen: Value) -> None:
    """``chosen`` is the one of ``ways`` that ``select`` names."""
    with m.Switch(select):
        for name, way in ways.items():
            with m.Case(name):
                m.d.comb += chosen.eq(way)
