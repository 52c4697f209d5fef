"""What the memories of the vector unit hold, and how they are addressed."""

from amaranth.lib import data

from fractrain.hw.contract.commands import FIELDS, Opcode
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.vector_parameters import VectorParameters

__all__ = ["RECORD_ADDRESS_BITS", "side_line", "vector_parameters"]

RECORD_ADDRESS_BITS = FIELDS[Opcode.NARROW]["scale"].width
"""Of a record, of moments and of a peak, as commands name them."""


def vector_parameters(parameters: Parameters) -> VectorParameters:
    """Those of a machine with a vector unit; `ParameterError` for one without."""
    if parameters.vector is None:
        raise ParameterError("vector", None, "a section: the machine has no vector unit")
    return parameters.vector


def side_line(parameters: Parameters) -> data.StructLayout:
    """A line of the side memory: ``values`` of r (unsigned) or x̂ (signed), and the mask."""
    pixels = parameters.array.rows
    bits = vector_parameters(parameters).side_bits
    return data.StructLayout({"values": data.ArrayLayout(bits, pixels), "mask": pixels})
