"""Shift and accumulate: ``value = (first ? 0 : value) ± (total << shift)``, with one control.

The shift is decoded once for many units into what their multipliers take (`ShiftPlan`); the
unit itself is a DSP48E1 (`hw.mac.dsp_accumulator`) or its behavioural twin.
"""

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.delay import delayed

__all__ = [
    "AccumulatorSignature",
    "AccumulatorTiming",
    "BehaviouralAccumulator",
    "ShiftPlan",
]

MULTIPLIER_BITS = 25
"""Width, with sign, of the DSP48E1's port for the total."""

MAX_POWER = 16
"""The other port has 18 bits, signed: powers of two up to 2**16."""

MAX_SHIFT = 2 * MAX_POWER


class AccumulatorTiming:
    """When an accumulator takes each input and has its value, in cycles after ``total``.

    The fields follow the pipeline of a DSP48E1, so shared inputs are delayed once outside, not in
    every unit.
    """

    power = upper = 0
    negate = first = 2
    valid = 3
    value = 4


class ShiftPlan:
    """How a shift of 0..``max_shift`` is made of a choice of port and a multiplication.

    A total goes to the multiplier as it is (``upper=0``) or shifted left by the constant
    ``pre_shift`` (``upper=1``), and is multiplied by a power of two, at most 2**16. For totals
    of ``w`` bits with sign, ``pre_shift`` is ``min(16, 25 - w)``, which reaches farthest, or what
    ``max_shift`` needs: then no DSP48E1 can do it, and `require_multiplier` raises.

    Errors: `ParameterError` unless 0 <= max_shift <= 32.
    """

    def __init__(self, total: Shape, max_shift: int) -> None:
        if not 0 <= max_shift <= MAX_SHIFT:
            raise ParameterError("greatest shift of a pass", max_shift, f"0..{MAX_SHIFT}")
        self.total = total
        self.max_shift = max_shift
        self._signed_bits = total.width + (not total.signed)
        self._reach = min(MAX_POWER, MULTIPLIER_BITS - self._signed_bits)
        self.pre_shift = max(0, self._reach, max_shift - MAX_POWER)

    @property
    def power_bits(self) -> int:
        """Width of the one-hot power of two."""
        return min(MAX_POWER, self.max_shift) + 1

    def require_multiplier(self) -> None:
        """Raise `ParameterError` if the ports of a DSP48E1 cannot do this."""
        allowed = None
        if self._reach < 0:
            allowed = f"dot products of at most {MULTIPLIER_BITS} bits with sign"
        elif self.max_shift > MAX_POWER + self._reach:
            allowed = f"a shift of at most {MAX_POWER + self._reach} for totals of this width"
        if allowed:
            raise ParameterError(
                "accumulator dsp48e1",
                f"dot products of {self._signed_bits} bits, shifts up to {self.max_shift}",
                allowed,
                hint="take fewer array.lanes, a smaller precision.max_bits or "
                "array.accumulator: behavioural",
            )

    def decode(self, shift: Value) -> tuple[Value, Value]:
        """(one-hot power of two, upper) of ``shift``: one LUT for each bit."""
        powers = []
        for power in range(self.power_bits):
            hit = shift == power
            if MAX_POWER < power + self.pre_shift <= self.max_shift:
                hit |= shift == power + self.pre_shift
            powers.append(hit)
        return Cat(*powers), shift > MAX_POWER


class AccumulatorSignature(wiring.Signature):
    """The interface of every accumulator.

    Members
    -------
    total : In(plan.total)
    control : In(...)
        power, upper : the shift, as `ShiftPlan.decode` gives it
        negate : subtract instead of add
        first : start from zero
        valid : do it; otherwise the value stays
    value : Out(signed(bits))    the sum modulo ``2**bits``

    `AccumulatorTiming` says how long after its ``total`` each field of ``control`` comes.
    """

    def __init__(self, plan: ShiftPlan, bits: int) -> None:
        control = data.StructLayout(
            {"power": plan.power_bits, "upper": 1, "negate": 1, "first": 1, "valid": 1}
        )
        super().__init__(
            {"total": In(plan.total), "control": In(control), "value": Out(signed(bits))}
        )


class BehaviouralAccumulator(wiring.Component):
    """A shift-accumulator in plain logic; any width, any shift.

    Members and timing: `AccumulatorSignature`, `AccumulatorTiming`. No reset; zero at power-up.
    """

    def __init__(self, plan: ShiftPlan, bits: int) -> None:
        self.plan = plan
        super().__init__(AccumulatorSignature(plan, bits))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        control = self.control
        # Sums are modulo the width of the value, so the operands are unsigned and of that width:
        # this simulates fastest, too.
        width = len(self.value)
        total = self.total
        product = Mux(control.upper, total << self.plan.pre_shift, total) * control.power
        addend = Signal(width)
        m.d.comb += addend.eq(product)
        # the slice's registers before and behind the multiplier
        addend = delayed(m, addend, AccumulatorTiming.valid, name="addend")
        negate = delayed(m, control.negate, 1, name="negate")
        first = delayed(m, control.first, 1, name="first")
        value = Signal(width, reset_less=True)
        base = Mux(first, 0, value)
        with m.If(control.valid):
            m.d.sync += value.eq(Mux(negate, base - addend, base + addend))
        m.d.comb += self.value.eq(value)
        return m
