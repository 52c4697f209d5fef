"""What goes into the memories of a vector unit, from whichever stage."""

from amaranth.lib import data

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import RECORD_BITS

__all__ = ["record_write", "side_line"]


def side_line(parameters: Parameters) -> data.StructLayout:
    """A line of the side memory: ``numbers`` at the top of their word, x̂·2^(s−b) or r·2^(s−c) of b
    or c bits in a word of s = ``side_bits``, and the mask."""
    assert parameters.vector is not None
    pixels = parameters.array.rows
    numbers = data.ArrayLayout(parameters.vector.side_bits, pixels)
    return data.StructLayout({"numbers": numbers, "mask": pixels})


def record_write(words: int) -> data.StructLayout:
    """``data`` becomes record ``address``, of ``words`` records of the parameter memory."""
    return data.StructLayout({"address": range(words), "data": RECORD_BITS})
