"""What the decoder tells the stages, and what the sequencer tells buffers and array."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from hw.contract.parameters import Parameters

ADDRESS_BITS = 16
COUNT_BITS = 16
INDEX_BITS = 32

__all__ = [
    "ADDRESS_BITS",
    "COUNT_BITS",
    "INDEX_BITS",
    "digit_bits",
    "excess_bits",
    "load_task",
    "multiply_task",
    "operand_task",
    "plane_pass",
    "shift_bits",
    "tail_bits",
]


def digit_bits(parameters: Parameters) -> int:
    """Width of a count of digits, 0..max_bits / spatial_bits."""
    return parameters.digits(parameters.precision.max_bits).bit_length()


def tail_bits(parameters: Parameters) -> int:
    """Width of a count of planes in the last digit, 1..spatial_bits."""
    return parameters.array.spatial_bits.bit_length()


def shift_bits(parameters: Parameters) -> int:
    """Width of a pass's shift, 0..2 * (max_bits - spatial_bits)."""
    widest = 2 * (parameters.precision.max_bits - parameters.array.spatial_bits)
    return max(1, widest.bit_length())


def load_task(parameters: Parameters) -> data.StructLayout:
    """A load command with its precision looked up: ``digits`` words per slice, 0 to skip.

    ``index`` counts the commands before it, for fault reports.
    """
    return data.StructLayout(
        {
            "index": INDEX_BITS,
            "wait": 1,
            "signal": 1,
            "side": 1,
            "digits": digit_bits(parameters),
            "address": ADDRESS_BITS,
            "slices": COUNT_BITS,
            "slice_stride": ADDRESS_BITS,
            "tile_stride": ADDRESS_BITS,
        }
    )


def operand_task(parameters: Parameters) -> data.StructLayout:
    """One operand of a multiply command.

    ``digits`` words per slice at ``address + slice * stride``; the last digit has ``tail`` planes
    (1..spatial_bits); the top plane of a ``signed`` operand is negative.
    """
    return data.StructLayout(
        {
            "digits": digit_bits(parameters),
            "tail": tail_bits(parameters),
            "signed": 1,
            "address": ADDRESS_BITS,
            "stride": ADDRESS_BITS,
        }
    )


def multiply_task(parameters: Parameters) -> data.StructLayout:
    """A multiply command with its precision looked up; ``skip`` if an operand has 0 bits."""
    return data.StructLayout(
        {
            "index": INDEX_BITS,
            "wait": 1,
            "signal": 1,
            "start": 1,
            "finish": 1,
            "skip": 1,
            "slices": COUNT_BITS,
            "row": operand_task(parameters),
            "column": operand_task(parameters),
        }
    )


def plane_pass(parameters: Parameters) -> data.StructLayout:
    """One pass: a row digit against a column digit.

    ``*_enable`` and ``*_negative`` have one bit per plane of a digit, bit 0 for the most
    significant. ``first`` clears the accumulators, ``last`` captures them afterwards; ``excess``
    is the number of absent planes in both operands, by which the result must be shifted right.
    """
    planes = unsigned(parameters.array.spatial_bits)
    return data.StructLayout(
        {
            "row_address": ADDRESS_BITS,
            "column_address": ADDRESS_BITS,
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


def excess_bits(parameters: Parameters) -> int:
    """Width of ``excess``, 0..2 * (spatial_bits - 1); one bit at least, for a regular layout."""
    return max(1, (2 * (parameters.array.spatial_bits - 1)).bit_length())
