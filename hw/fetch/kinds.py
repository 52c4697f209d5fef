"""Commands of the fetch stage of a machine with a vector unit, told apart."""

import enum

from amaranth.hdl import Cat, Value
from amaranth.lib import data

from fractrain.hw.contract.commands import Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.tasks import command_view, stage_task

__all__ = ["Kind", "kind_number", "kind_task", "kinds_of"]


class Kind(enum.Enum):
    """Who takes the words of a command: the first two share what writes planes and columns."""

    LOAD = 0
    MOVE = 1
    SET = 2
    FILL = 3
    RECALL = 4


def kind_task(parameters: Parameters) -> data.StructLayout:
    """A `stage_task` with its kind, one-hot: so that no choice behind it has to look at opcodes."""
    return data.StructLayout({"task": stage_task(parameters), "kinds": len(Kind)})


def kinds_of(task: data.View) -> Value:
    """The kind of a `stage_task`, one-hot."""
    opcode = command_view(Opcode.END, task.command).opcode
    return Cat(opcode == Opcode[kind.name] for kind in Kind)


def kind_number(kinds: Value) -> Value:
    """Which bit of ``kinds`` is set."""
    bits = max(kind.value for kind in Kind).bit_length()
    return Cat(
        Cat(kinds[kind.value] for kind in Kind if kind.value >> bit & 1).any()
        for bit in range(bits)
    )
