"""What the decoder hands to the stages: a command with its precision looked up."""

import functools

from amaranth.hdl import Shape, Value, signed, unsigned
from amaranth.lib import data

from fractrain.hw.contract.commands import COMMAND_BITS, FIELDS, Opcode
from fractrain.hw.contract.numerics import MAX_ACTIVATION_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.registers import INNER_BITS, WORD_BITS

__all__ = [
    "FORM_BITS",
    "INDEX_BITS",
    "KEPT_BITS",
    "command_layout",
    "command_view",
    "digit_bits",
    "field_bits",
    "stage_task",
    "tail_bits",
]

INDEX_BITS = WORD_BITS
"""Of a command's number in its program, as FAULT_INDEX shows it."""

KEPT_BITS = INNER_BITS.width
"""Of a number of bits of x̂."""

FORM_BITS = MAX_ACTIVATION_BITS.bit_length()
"""Of a number of bits of activations that a vector unit makes."""


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
    skip : only the tokens of this command count: one of the two has 0 bits; of a command that is
        ``skipped``, none of them

    With a vector unit also

    kept_bits : of the x̂ that the command reads or makes, by its slot; 0 if there is none
    form_bits : of the activations that it makes; 0 if it makes none
    masked : it applies a mask
    """
    digits, tail = digit_bits(parameters), tail_bits(parameters)
    looked_up = {"kept_bits": KEPT_BITS, "form_bits": FORM_BITS, "masked": 1}
    return data.StructLayout(
        {
            "index": INDEX_BITS,
            "command": COMMAND_BITS,
            "digits": digits,
            "tail": tail,
            "partner_digits": digits,
            "partner_tail": tail,
            "skip": 1,
            **(looked_up if parameters.vector is not None else {}),
        }
    )


def field_bits(opcode: Opcode, *names: str) -> dict[str, int]:
    """Widths of some fields of a command."""
    return {name: FIELDS[opcode][name].width for name in names}


ENTRY_OF_SHAPES = "shape_entry"
"""The field ``shape`` in a `command_layout`: views have an attribute of that name."""


@functools.cache
def command_layout(opcode: Opcode) -> data.FlexibleLayout:
    """A command word: its fields, each where the contract has it."""

    def shape(name: str) -> Shape:
        field = FIELDS[opcode][name]
        return signed(field.width) if field.signed else unsigned(field.width)

    fields = {
        ENTRY_OF_SHAPES if name == "shape" else name: data.Field(shape(name), field.offset)
        for name, field in FIELDS[opcode].items()
    }
    return data.FlexibleLayout(COMMAND_BITS, fields)


def command_view(opcode: Opcode, command: Value) -> data.View:
    """The word ``command`` as a command of ``opcode``; END has what all commands have."""
    return data.View(command_layout(opcode), command)
