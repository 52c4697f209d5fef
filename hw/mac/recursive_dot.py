"""Dot products of digits, made of dot products of half-width digits, down to bit planes."""

from amaranth.hdl import Cat, Module, Shape, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import SPATIAL_BITS
from fractrain.hw.mac.compression import CompressionPlan
from fractrain.hw.mac.plane_dot import PlaneDot
from fractrain.hw.shared_module import SharedModule

__all__ = ["RecursiveDot", "dot_latency_cycles", "signs_delay_cycles", "total_shape"]


def total_shape(lanes: int, bits: int) -> Shape:
    """Shape of the dot product of ``lanes`` pairs of ``bits``-wide digits of any signs.

    ``bits=1``: an unsigned count of bit-products, whatever the signs of the planes.
    """
    if bits == 1:
        return Shape.cast(range(lanes + 1))
    greatest, least = (1 << bits) - 1, -(1 << (bits - 1))
    return Shape.cast(range(lanes * least * greatest, lanes * greatest**2 + 1))


def dot_latency_cycles(lanes: int, bits: int) -> int:
    """Cycles from operands to total: the planes' count, then two per doubling of the width."""
    doublings = bits.bit_length() - 1
    return signs_delay_cycles(lanes) + 2 * doublings


def signs_delay_cycles(lanes: int) -> int:
    """Cycles from operands to their signs, which the first combiner of planes needs."""
    return CompressionPlan.for_lanes(lanes).latency_cycles


class RecursiveDot(wiring.Component):
    """Dot product of digits of ``bits`` planes: ``total = Σ_k row[k] * column[k]``.

    Members
    -------
    rows, columns : In(bits * lanes)
        plane ``s`` (0 = most significant), lane ``k`` at bit ``s * lanes + k``
    row_negative, column_negative : In(1)
        the most significant plane weighs ``-2**(bits - 1)`` instead of ``+2**(bits - 1)``;
        taken `signs_delay_cycles` after their operands (the whole array has the same signs, so one
        delay outside serves all units)
    total : Out(total_shape(lanes, bits))

    With ``h = bits / 2`` and each operand split into its high and low planes:

        dot(row, column) = dot(high, high) << 2h + (dot(high, low) + dot(low, high)) << h
                         + dot(low, low)

    Only the high halves inherit the sign, so the four leaves carry different signs. A dot
    product of single planes is an unsigned count: the first combiner above it negates.
    At ``bits=1`` this *is* `PlaneDot`: it ignores the signs, and the accumulator applies their
    product.

    Absent planes (an operand narrower than its digit) must come as zeros.

    Timing: one result per cycle, ``latency_cycles`` after the operands. Numbers: exact.
    Errors: `ParameterError` unless ``bits`` is 1, 2, 4 or 8, and what `PlaneDot` raises.
    """

    def __init__(self, lanes: int, bits: int, style: str) -> None:
        if bits not in SPATIAL_BITS:
            raise ParameterError("spatial_bits", bits, " or ".join(map(str, SPATIAL_BITS)))
        self.lanes = lanes
        self.bits = bits
        self.style = style
        super().__init__(
            {
                "rows": In(bits * lanes),
                "columns": In(bits * lanes),
                "row_negative": In(1),
                "column_negative": In(1),
                "total": Out(total_shape(lanes, bits)),
            }
        )

    @property
    def latency_cycles(self) -> int:
        return dot_latency_cycles(self.lanes, self.bits)

    @property
    def name(self) -> str:
        """A module name with every parameter."""
        return f"recursive_dot_k{self.lanes}_b{self.bits}_{self.style}"

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.bits == 1:
            m.submodules.planes = planes = PlaneDot(self.lanes, self.style)
            m.d.comb += [
                planes.a.eq(self.rows),
                planes.b.eq(self.columns),
                self.total.eq(planes.total),
            ]
        elif self.bits == 2:
            self._combine_counts(m, self._leaves(m))
        else:
            self._combine_totals(m, self._leaves(m))
        return m

    def _leaves(self, m: Module) -> list[Value]:
        """Totals of high x high, high x low, low x high, low x low."""
        half = self.bits // 2 * self.lanes
        totals = []
        for index, name in enumerate(("high_high", "high_low", "low_high", "low_low")):
            row_is_low, column_is_low = bool(index & 2), bool(index & 1)
            half_width = RecursiveDot(self.lanes, self.bits // 2, self.style)
            m.submodules[name] = leaf = SharedModule(half_width, half_width.name)
            m.d.comb += [
                leaf.rows.eq(self.rows[half:] if row_is_low else self.rows[:half]),
                leaf.columns.eq(self.columns[half:] if column_is_low else self.columns[:half]),
                leaf.row_negative.eq(0 if row_is_low else self.row_negative),
                leaf.column_negative.eq(0 if column_is_low else self.column_negative),
            ]
            totals.append(leaf.total)
        return totals

    def _combine_counts(self, m: Module, leaves: list[Value]) -> None:
        """Negates by inverting; the ones that complete it go into empty places.

        ``-x = ~x + 1``. Shifted left by ``n``, ``-(x << n)`` is the inverse of ``x << n`` plus
        one, and inverting fills the ``n`` low bits with ones: so these bits are the sign, and
        one more of it is a carry into the adder. No adder is spent on a negation.
        """
        high_high, high_low, low_high, low_low = leaves
        row, column = self.row_negative, self.column_negative
        both = row ^ column
        outer = Cat(both, both, self._inverted(high_high, both)).as_signed() + low_low + both
        # low_high needs twice its sign to be complete: added in the low bit of middle << 1, which
        # is free, and as the carry into the last adder.
        middle = self._inverted(high_low, row) + self._inverted(low_high, column) + row
        later = Signal(reset_less=True)
        m.d.sync += later.eq(column)
        outer, middle = self._registered(m, outer, middle)
        self._add(m, outer + Cat(later, middle).as_signed() + later)

    def _combine_totals(self, m: Module, leaves: list[Value]) -> None:
        high_high, high_low, low_high, low_low = leaves
        half = self.bits // 2
        outer, middle = self._registered(m, (high_high << 2 * half) + low_low, high_low + low_high)
        self._add(m, outer + (middle << half))

    def _registered(self, m: Module, outer: Value, middle: Value) -> tuple[Value, Value]:
        """Sums of the halves of like, and of unlike, significance; ``middle`` weighs 2**h."""
        width = len(self.total)
        outer_register = Signal(signed(width), reset_less=True)
        middle_register = Signal(signed(width - self.bits // 2), reset_less=True)
        m.d.sync += [outer_register.eq(outer), middle_register.eq(middle)]
        return outer_register, middle_register

    def _add(self, m: Module, value: Value) -> None:
        total = Signal.like(self.total, reset_less=True)
        m.d.sync += total.eq(value)
        m.d.comb += self.total.eq(total)

    @staticmethod
    def _inverted(count: Value, sign: Value) -> Value:
        """``sign ? -count - 1 : count``, with a sign bit of its own."""
        return Cat(count ^ sign.replicate(len(count)), sign).as_signed()
