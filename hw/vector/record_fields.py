"""A record of the parameter memory, field by field."""

from amaranth.hdl import Mux, Shape, Value, signed, unsigned
from amaranth.lib import data

from fractrain.hw.contract.records import RECORD_BITS, RECORDS, Record

__all__ = ["clamped", "record_view"]


def record_view(record: Record, value: Value) -> data.View:
    """The 128 bits ``value`` as a ``record``."""

    def shape(name: str) -> Shape:
        field = RECORDS[record][name]
        return signed(field.width) if field.signed else unsigned(field.width)

    fields = {
        name: data.Field(shape(name), field.offset) for name, field in RECORDS[record].items()
    }
    return data.View(data.FlexibleLayout(RECORD_BITS, fields), value)


def clamped(value: Value, least: int, most: int) -> Value:
    """``value``, or the nearer end of ``least`` .. ``most``."""
    return Mux(value < least, least, Mux(value > most, most, value))
