"""What the decoder hands to the stages: a command with its precision looked up."""

from amaranth.hdl import Value
from amaranth.lib import data

from fractrain.hw.contract.commands import COMMAND_BITS, FIELDS, Opcode
from fractrain.hw.contract.parameters import Parameters

__all__ = ["INDEX_BITS", "digit_bits", "field", "stage_task", "tail_bits"]

INDEX_BITS = 32


def digit_bits(parameters: Parameters) -> int:
    """Width of a count of digits, 0..max_bits / spatial_bits."""
    return parameters.digits(parameters.precision.max_bits).bit_length()


def tail_bits(parameters: Parameters) -> int:
    """Width of a count of planes in the last digit, 1..spatial_bits."""
    return parameters.array.spatial_bits.bit_length()


def stage_task(parameters: Parameters) -> data.StructLayout:
    """A command on its way to its stage.

    index : number of the command in its program, for fault reports
    command : the word from memory; `field` reads it
    digits, tail : of ``operand`` at the slot's bits: how many digits, and how many planes
        (1..spatial_bits) the last of them has
    partner_digits, partner_tail : of ``partner``
    skip : one of the two has 0 bits: only the tokens of this command count
    """
    digits, tail = digit_bits(parameters), tail_bits(parameters)
    return data.StructLayout(
        {
            "index": INDEX_BITS,
            "command": COMMAND_BITS,
            "digits": digits,
            "tail": tail,
            "partner_digits": digits,
            "partner_tail": tail,
            "skip": 1,
        }
    )


def field(command: Value, opcode: Opcode, name: str) -> Value:
    """Field ``name`` of a command word, signed where the contract says so."""
    place = FIELDS[opcode][name]
    value = command[place.offset : place.offset + place.width]
    return value.as_signed() if place.signed else value
