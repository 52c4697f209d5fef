"""What NARROW and JOIN take from a scale record."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.commands import Earlier
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.contract.records import RECORD_BITS, Record
from fractrain.hw.vector.join import Joiner
from fractrain.hw.vector.memories import record_view

__all__ = ["UNIT_SHIFT", "ResultScale", "result_scale"]

NARROW_LEAST, NARROW_MOST = 1 - numerics.NARROW_BITS, SUM_BITS
MOST_BEFORE = SUM_BITS - numerics.PRESHIFTED_BITS
UNIT_SHIFT = numerics.MULTIPLIER_BITS - 1
"""Of a mantissa of 2^16, which is 1."""


def result_scale() -> data.StructLayout:
    """As `Narrower` and `Joiner` take them.

    narrow_shift : s
    before, mantissa, shift : of the sums of a JOIN
    earlier_shift : of what was earlier, whose mantissa is 2^16
    """
    return data.StructLayout(
        {
            "narrow_shift": signed(7),
            "before": range(MOST_BEFORE + 1),
            "mantissa": numerics.MULTIPLIER_BITS,
            "shift": signed(7),
            "earlier_shift": signed(7),
        }
    )


class ResultScale(wiring.Component):
    """A scale record's shifts, those that are beyond a component's brought to the nearest, which
    gives the same; k₀ beyond 23, which no sum needs, counts as 23.

    Members
    -------
    record : In(128), earlier : In(Earlier)
    scale : Out(`result_scale`)

    Timing: a cycle.
    """

    def __init__(self) -> None:
        super().__init__(
            {"record": In(RECORD_BITS), "earlier": In(Earlier), "scale": Out(result_scale())}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        record = record_view(Record.SCALE, self.record)
        stream = _within(record.stream_shift + UNIT_SHIFT, Joiner.LEAST_SHIFT, Joiner.MOST_SHIFT)
        scale = Signal(result_scale(), reset_less=True)
        m.d.sync += [
            scale.narrow_shift.eq(_within(record.narrow_shift, NARROW_LEAST, NARROW_MOST)),
            scale.before.eq(Mux(record.before > MOST_BEFORE, MOST_BEFORE, record.before)),
            scale.mantissa.eq(record.mantissa),
            scale.shift.eq(_within(record.shift, Joiner.LEAST_SHIFT, Joiner.MOST_SHIFT)),
            scale.earlier_shift.eq(Mux(self.earlier == Earlier.STREAM, stream, UNIT_SHIFT)),
        ]
        m.d.comb += self.scale.eq(scale)
        return m


def _within(value: Value, least: int, most: int) -> Value:
    return Mux(value < least, least, Mux(value > most, most, value))
