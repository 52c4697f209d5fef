"""What the decoder hands to the stages: a command with its precision looked up."""

import functools

from amaranth.hdl import Shape, Value, signed, unsigned
from amaranth.lib import data

from fractrain.hw.contract.commands import COMMAND_BITS, FIELDS, Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.registers import WORD_BITS

__all__ = [
    "INDEX_BITS",
    "command_layout",
    "command_view",
    "digit_bits",
    "field_bits",
    "stage_task",
    "tail_bits",
]

INDEX_BITS = WORD_BITS
"""Of a command's number in its program, as FAULT_INDEX shows it."""


def digit_bits(parameters: Parameters) -> int:
    """Width of a count of digits, 0..max_bits / spatial_bits."""
    return parameters.digits(parameters.precision.max_bits).bit_length()


def tail_bits(parameters: Parameters) -> int:
    """Width of a count of planes in the last digit, 1..spatial_bits."""
    return parameters.array.spatial_bits.bit_length()


def stage_task(parameters: Parameters) -> data.StructLayout:
    """A command on its way to its stage.

    index : number of the command in its program, for fault reports
    command : the word from memory; `command_view` reads it
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


def field_bits(opcode: Opcode, *names: str) -> dict[str, int]:
    """Widths of some fields of a command."""
    return {name: FIELDS[opcode][name].width for name in names}


@functools.cache
def command_layout(opcode: Opcode) -> data.FlexibleLayout:
    """A command word: its fields, each where the contract has it."""

    def shape(name: str) -> Shape:
        field = FIELDS[opcode][name]
        return signed(field.width) if field.signed else unsigned(field.width)

    fields = {name: data.Field(shape(name), field.offset) for name, field in FIELDS[opcode].items()}
    return data.FlexibleLayout(COMMAND_BITS, fields)


def command_view(opcode: Opcode, command: Value) -> data.View:
    """The word ``command`` as a command of ``opcode``; END has what all commands have."""
    return data.View(command_layout(opcode), command)
