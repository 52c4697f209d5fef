"""What the memories of the vector unit hold, and how they are addressed."""

import functools

from amaranth.hdl import Shape, Value, signed, unsigned
from amaranth.lib import data

from fractrain.hw.contract.commands import FIELDS, Opcode
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import RECORD_BITS, RECORDS, Record
from fractrain.hw.contract.vector_parameters import VectorParameters

__all__ = ["RECORD_ADDRESS_BITS", "record_layout", "record_view", "vector_parameters"]

RECORD_ADDRESS_BITS = FIELDS[Opcode.NARROW]["scale"].width
"""Of a record, of moments and of a peak, as commands name them."""


def vector_parameters(parameters: Parameters) -> VectorParameters:
    """Those of a machine with a vector unit; `ParameterError` for one without."""
    if parameters.vector is None:
        raise ParameterError("vector", None, "a section: the machine has no vector unit")
    return parameters.vector


@functools.cache
def record_layout(record: Record) -> data.FlexibleLayout:
    """A record: its fields, each where the contract has it."""

    def shape(name: str) -> Shape:
        field = RECORDS[record][name]
        return signed(field.width) if field.signed else unsigned(field.width)

    fields = {name: data.Field(shape(name), each.offset) for name, each in RECORDS[record].items()}
    return data.FlexibleLayout(RECORD_BITS, fields)


def record_view(record: Record, word: Value) -> data.View:
    """``word`` as such a record."""
    return data.View(record_layout(record), word)
