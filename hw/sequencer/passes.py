"""What the pass sequencer sends to feeder, column memory and array."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from fractrain.hw.contract.commands import FIELDS, Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.tasks import INDEX_BITS

__all__ = ["ADDRESS_BITS", "array_pass", "below_bits", "excess_bits", "shift_bits"]

_FIELDS = FIELDS[Opcode.CONVOLVE]
ADDRESS_BITS = _FIELDS["column_address"].width


def below_bits(parameters: Parameters) -> int:
    """Width of the number of digits below those of a pass, of both operands together."""
    return max(1, (2 * (parameters.digits(parameters.precision.max_bits) - 1)).bit_length())


def shift_bits(parameters: Parameters) -> int:
    """Width of a pass's shift, 0..2 * (max_bits - spatial_bits)."""
    widest = 2 * (parameters.precision.max_bits - parameters.array.spatial_bits)
    return max(1, widest.bit_length())


def excess_bits(parameters: Parameters) -> int:
    """Width of ``excess``, 0..2 * (spatial_bits - 1); one bit at least, for a regular layout."""
    return max(1, (2 * (parameters.array.spatial_bits - 1)).bit_length())


def array_pass(parameters: Parameters) -> data.StructLayout:
    """One pass of the array: the digit in the window against a digit of the columns.

    empty : stands for a command without passes: ``new_window`` and ``last`` are 0, and only
        ``ends``, ``signal``, ``index`` and ``tag`` have a meaning
    ends : the last of its command; ``signal``: the command then gives a token to the fetch stage
    index : number of the command in its program; ``tag``: its cycles are counted under
    new_window : the first pass of the next window
    column_address : word of the column memory; ``groups``: lane groups that are not zeroed
    shift : of the products; ``first`` clears the accumulators, ``last`` sends them afterwards
    *_enable, *_negative : one bit per plane of a digit, bit 0 for the most significant: the
        plane exists; it has negative weight
    excess : absent planes in the last digits of both operands: the tile's sums are shifted left
        by so many bits
    """
    planes = unsigned(parameters.array.spatial_bits)
    return data.StructLayout(
        {
            "empty": 1,
            "ends": 1,
            "signal": 1,
            "index": INDEX_BITS,
            "tag": _FIELDS["tag"].width,
            "new_window": 1,
            "column_address": ADDRESS_BITS,
            "groups": _FIELDS["groups"].width,
            "shift": shift_bits(parameters),
            "first": 1,
            "last": 1,
            "row_enable": planes,
            "row_negative": planes,
            "column_enable": planes,
            "column_negative": planes,
            "excess": excess_bits(parameters),
        }
    )
