"""The gateware reads a command word as the contract encodes it."""

from random import Random

import pytest
from amaranth.hdl import Const
from amaranth.lib import data

from fractrain.hw.contract.commands import COMMAND_BITS, FIELDS, KINDS, Opcode, encode
from fractrain.hw.flow.tasks import ENTRY_OF_SHAPES, command_layout, command_view, field_bits
from tests.hw.contract.test_commands import PINNED


def place(name: str) -> str:
    """Of a field in the view."""
    return ENTRY_OF_SHAPES if name == "shape" else name


@pytest.mark.parametrize("opcode", Opcode)
def test_every_field_is_where_the_contract_has_it(opcode: Opcode) -> None:
    draw = Random(int(opcode))
    for _ in range(20):
        word = draw.getrandbits(COMMAND_BITS)
        view = data.Const(command_layout(opcode), word)
        for name, field in FIELDS[opcode].items():
            assert view[place(name)] == field.extract(word), name


def test_signs_are_those_of_the_commands() -> None:
    for command, _ in PINNED:
        opcode = next(each for each, kind in KINDS.items() if kind is type(command))
        view = data.Const(command_layout(opcode), encode(command))
        for name in FIELDS[opcode]:
            assert name == "opcode" or view[place(name)] == getattr(command, name), name


def test_widths() -> None:
    view = command_view(Opcode.PATTERN, Const(0, COMMAND_BITS))
    assert view.a_offset.shape().signed and not view.a_zero.shape().signed
    assert field_bits(Opcode.LOAD, "runs", "groups") == {"runs": 12, "groups": 40}
