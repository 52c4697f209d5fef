"""Many commands to words at once: what `hw.contract.commands.encode_all` gives, in less time."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import COMMAND_BYTES, FIELDS, Command, Opcode, opcode_of
from fractrain.hw.contract.errors import ParameterError

_WORD_BITS = 64


def encode_many(commands: Sequence[Command]) -> NDArray[np.uint8]:
    """``[n, 32]`` bytes; errors as of `encode`."""
    words = np.zeros((len(commands), COMMAND_BYTES * 8 // _WORD_BITS), np.uint64)
    places: dict[Opcode, list[int]] = {}
    for number, each in enumerate(commands):
        places.setdefault(opcode_of(each), []).append(number)
    for opcode, numbers in places.items():
        words[numbers] = _words(opcode, [commands[number] for number in numbers])
    return words.astype("<u8").view(np.uint8).reshape(-1, COMMAND_BYTES)


def _words(opcode: Opcode, commands: Sequence[Command]) -> NDArray[np.uint64]:
    found = np.zeros((len(commands), COMMAND_BYTES * 8 // _WORD_BITS), np.uint64)
    for name, field in FIELDS[opcode].items():
        if name == "opcode":
            values = np.full(len(commands), int(opcode), np.int64)
        else:
            given = map(operator.attrgetter(name), commands)
            values = np.fromiter(given, np.int64, len(commands))
        wrong = values[(values < field.least) | (values > field.greatest)]
        if wrong.size:
            allowed = f"{field.least}..{field.greatest}"
            raise ParameterError(f"{type(commands[0]).__name__}.{name}", int(wrong[0]), allowed)
        part, first = divmod(field.offset, _WORD_BITS)
        raw = (values & ((1 << field.width) - 1)).astype(np.uint64)
        found[:, part] |= raw << np.uint64(first)
        if first + field.width > _WORD_BITS:
            found[:, part + 1] |= raw >> np.uint64(_WORD_BITS - first)
    return found
