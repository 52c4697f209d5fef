"""One unit of the array: dot product, shift-accumulator and captured result."""

from dataclasses import dataclass

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import ArrayParameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.mac.accumulator import (
    AccumulatorSignature,
    AccumulatorTiming,
    BehaviouralAccumulator,
    ShiftPlan,
)
from fractrain.hw.mac.dsp_accumulator import DspAccumulator
from fractrain.hw.mac.flavour import Flavour
from fractrain.hw.mac.recursive_dot import (
    RecursiveDot,
    dot_latency_cycles,
    signs_delay_cycles,
    total_shape,
)

__all__ = ["MacUnit", "UnitParameters"]

_ACCUMULATORS: dict[str, type[BehaviouralAccumulator] | type[DspAccumulator]] = {
    "dsp48e1": DspAccumulator,
    "behavioural": BehaviouralAccumulator,
}


@dataclass(frozen=True)
class UnitParameters:
    """The parameters of a unit.

    lanes, spatial_bits : K and S
    max_shift : greatest shift of a pass
    dot : style of `PlaneDot`; accumulator : ``dsp48e1`` or ``behavioural``

    Errors: `ParameterError` for an unknown accumulator and for what the accumulator cannot do.
    """

    lanes: int
    spatial_bits: int
    max_shift: int
    dot: str
    accumulator: str

    def __post_init__(self) -> None:
        if self.accumulator not in _ACCUMULATORS:
            raise ParameterError("accumulator style", self.accumulator, ", ".join(_ACCUMULATORS))
        if self.accumulator == "dsp48e1":
            self.shift_plan.require_multiplier()

    @classmethod
    def of(cls, array: ArrayParameters, flavour: Flavour) -> "UnitParameters":
        simulation = flavour is Flavour.SIMULATION
        return cls(
            lanes=array.lanes,
            spatial_bits=array.spatial_bits,
            max_shift=array.max_shift,
            dot="words" if simulation else array.dot,
            accumulator="behavioural" if simulation else array.accumulator,
        )

    @property
    def name(self) -> str:
        """A module name with every parameter."""
        return (
            f"mac_unit_k{self.lanes}_s{self.spatial_bits}_shift{self.max_shift}"
            f"_acc{SUM_BITS}_{self.dot}_{self.accumulator}"
        )

    @property
    def shift_plan(self) -> ShiftPlan:
        return ShiftPlan(total_shape(self.lanes, self.spatial_bits), self.max_shift)

    # -- cycles after the operands ------------------------------------------------------------

    @property
    def signs_cycle(self) -> int:
        """``row_negative`` and ``column_negative`` are taken."""
        return signs_delay_cycles(self.lanes)

    @property
    def total_cycle(self) -> int:
        """The dot product is there, and the accumulator takes it."""
        return dot_latency_cycles(self.lanes, self.spatial_bits)

    @property
    def capture_cycle(self) -> int:
        """``capture`` is taken: one cycle before the value it captures is there."""
        return self.total_cycle + AccumulatorTiming.value - 1

    @property
    def captured_cycle(self) -> int:
        """``captured`` has the value."""
        return self.total_cycle + AccumulatorTiming.value + 1


class MacUnit(wiring.Component):
    """Dot product of two digits over all lanes, shifted and accumulated.

    Members
    -------
    rows, columns, row_negative, column_negative : of `RecursiveDot`
        (the signs at ``UnitParameters.signs_cycle``)
    control : of `AccumulatorSignature`, relative to ``UnitParameters.total_cycle``
    capture : In(1)     keep the value of this pass (at ``UnitParameters.capture_cycle``)
    captured : Out(signed(SUM_BITS))    stays until the next capture

    At ``spatial_bits=1`` the dot product is an unsigned count; its sign is ``control.negate``.

    Timing: one pass per cycle; cycles are those of `UnitParameters`, counted from the operands.
    """

    def __init__(self, parameters: UnitParameters) -> None:
        self.parameters = p = parameters
        accumulator = AccumulatorSignature(p.shift_plan, SUM_BITS)
        super().__init__(
            {
                "rows": In(p.spatial_bits * p.lanes),
                "columns": In(p.spatial_bits * p.lanes),
                "row_negative": In(1),
                "column_negative": In(1),
                "control": accumulator.members["control"],
                "capture": In(1),
                "captured": Out(signed(SUM_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = self.parameters
        m.submodules.dot = dot = RecursiveDot(p.lanes, p.spatial_bits, p.dot)
        m.submodules.accumulator = accumulator = _ACCUMULATORS[p.accumulator](
            p.shift_plan, SUM_BITS
        )
        m.d.comb += [
            dot.rows.eq(self.rows),
            dot.columns.eq(self.columns),
            dot.row_negative.eq(self.row_negative),
            dot.column_negative.eq(self.column_negative),
            accumulator.total.eq(dot.total),
            accumulator.control.eq(self.control),
        ]
        # A register of its own drives the clock enables of this unit only.
        capture = Signal(reset_less=True)
        captured = Signal.like(self.captured, reset_less=True)
        m.d.sync += capture.eq(self.capture)
        with m.If(capture):
            m.d.sync += captured.eq(accumulator.value)
        m.d.comb += self.captured.eq(captured)
        return m
