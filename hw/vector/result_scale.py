"""What NARROW and JOIN take from a scale record."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.commands import Earlier
from fractrain.hw.contract.records import RECORD_BITS, Record
from fractrain.hw.vector.join import Joiner
from fractrain.hw.vector.memories import record_view

__all__ = ["UNIT_SHIFT", "ResultScale", "result_scale"]

MOST_BEFORE = numerics.CONVOLVED_BITS - numerics.PRESHIFTED_BITS
UNIT_SHIFT = numerics.MULTIPLIER_BITS - 1
"""Of a mantissa of 2^16, which is 1."""


def result_scale() -> data.StructLayout:
    """As a `Joiner` takes them.

    shift : of a NARROW, s; of a JOIN's sums, whose are before and mantissa, too
    earlier_shift : of what was earlier, whose mantissa is 2^16
    """
    return data.StructLayout(
        {
            "before": range(MOST_BEFORE + 1),
            "mantissa": numerics.MULTIPLIER_BITS,
            "shift": signed(7),
            "earlier_shift": signed(7),
        }
    )


class ResultScale(wiring.Component):
    """A scale record's shifts, those that are beyond a component's brought to the nearest, which
    gives the same; k₀ beyond 12, which no sum needs, counts as 12.

    Members
    -------
    record : In(128), joins : In(1), earlier : In(Earlier)      and of which command
    scale : Out(`result_scale`)

    Timing: a cycle.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "record": In(RECORD_BITS),
                "joins": In(1),
                "earlier": In(Earlier),
                "scale": Out(result_scale()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        record = record_view(Record.SCALE, self.record)
        most = Joiner.MOST_SHIFT
        stream = _within(record.stream_shift + UNIT_SHIFT, Joiner.LEAST_SHIFT, most)
        narrow = _within(record.narrow_shift, Joiner.LEAST_NARROW, most)
        scale = Signal(result_scale(), reset_less=True)
        m.d.sync += [
            scale.before.eq(Mux(record.before > MOST_BEFORE, MOST_BEFORE, record.before)),
            scale.mantissa.eq(record.mantissa),
            scale.shift.eq(
                Mux(self.joins, _within(record.shift, Joiner.LEAST_SHIFT, most), narrow)
            ),
            scale.earlier_shift.eq(Mux(self.earlier == Earlier.STREAM, stream, UNIT_SHIFT)),
        ]
        m.d.comb += self.scale.eq(scale)
        return m


def _within(value: Value, least: int, most: int) -> Value:
    return Mux(value < least, least, Mux(value > most, most, value))
