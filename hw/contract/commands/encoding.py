"""Commands to words of 256 bits and back."""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands.commands import (
    Command,
    Convolve,
    End,
    Load,
    Pattern,
    Store,
)
from fractrain.hw.contract.commands.enums import ACKNOWLEDGED, SIGNAL, Opcode, Stage
from fractrain.hw.contract.commands.fields import COMMAND_BYTES, FIELDS, HEADER
from fractrain.hw.contract.commands.vector_commands import (
    Apply,
    Carry,
    Channel,
    Form,
    Normalize,
    Quantize,
    Recompute,
    Report,
    Shape,
    Spill,
    Update,
)
from fractrain.hw.contract.commands.vector_loads import Fill, Move, Recall, Set
from fractrain.hw.contract.commands.vector_results import Join, Narrow
from fractrain.hw.contract.errors import ParameterError

KINDS: Mapping[Opcode, type[Command]] = {
    Opcode.LOAD: Load,
    Opcode.PATTERN: Pattern,
    Opcode.CONVOLVE: Convolve,
    Opcode.STORE: Store,
    Opcode.END: End,
    Opcode.MOVE: Move,
    Opcode.RECALL: Recall,
    Opcode.FILL: Fill,
    Opcode.SET: Set,
    Opcode.NARROW: Narrow,
    Opcode.JOIN: Join,
    Opcode.SHAPE: Shape,
    Opcode.CHANNEL: Channel,
    Opcode.NORMALIZE: Normalize,
    Opcode.FORM: Form,
    Opcode.RECOMPUTE: Recompute,
    Opcode.CARRY: Carry,
    Opcode.APPLY: Apply,
    Opcode.SPILL: Spill,
    Opcode.REPORT: Report,
    Opcode.QUANTIZE: Quantize,
    Opcode.UPDATE: Update,
}
"""The dataclass of each command; its fields have the names of `FIELDS`, and the types of what they
say."""

_OPCODES = {kind: opcode for opcode, kind in KINDS.items()}


def opcode_of(command: Command) -> Opcode:
    """Which command it is."""
    return _OPCODES[type(command)]


def awaits_memory(command: Command) -> bool:
    """Of a command of the vector stage: whether it ends only when memory has acknowledged what the
    stage has written until then."""
    opcode = opcode_of(command)
    assert opcode.stage is Stage.VECTOR
    given = enumerate(SIGNAL[Stage.VECTOR])
    return opcode is Opcode.UPDATE or any(
        command.signal >> bit & 1 and stage in ACKNOWLEDGED for bit, stage in given
    )


@functools.cache
def field_types(opcode: Opcode) -> Mapping[str, type]:
    """What each field of a command is: an enumeration, bool or int."""
    return {"opcode": Opcode, **typing.get_type_hints(KINDS[opcode])}


def encode(command: Command) -> int:
    """The word of ``command``; `ParameterError` for a field that does not fit."""
    opcode = opcode_of(command)
    word = int(opcode)
    for name, field in FIELDS[opcode].items():
        if name == "opcode":
            continue
        value = int(getattr(command, name))
        if not field.least <= value <= field.greatest:
            allowed = f"{field.least}..{field.greatest}"
            raise ParameterError(f"{type(command).__name__}.{name}", value, allowed)
        word |= field.insert(value)
    return word


def decode(word: int) -> Command:
    """Inverse of `encode`; `ParameterError` for an unknown opcode."""
    number = HEADER["opcode"].extract(word)
    if number not in FIELDS:
        raise ParameterError("opcode", number, ", ".join(f"{o.value} ({o.name})" for o in Opcode))
    opcode = Opcode(number)
    values: dict[str, Any] = {
        name: field_types(opcode)[name](field.extract(word))
        for name, field in FIELDS[opcode].items()
        if name != "opcode"
    }
    return KINDS[opcode](**values)


def encode_all(commands: Sequence[Command]) -> NDArray[np.uint8]:
    """The words of a command stream, ``[n, 32]`` bytes, least significant first."""
    data = b"".join(encode(command).to_bytes(COMMAND_BYTES, "little") for command in commands)
    return np.frombuffer(data, np.uint8).reshape(-1, COMMAND_BYTES)
