"""Command words: what the host asks of the engine, 128 bits each.

Two commands, for two stages that run ahead of each other and meet through tokens:

``LOAD``      the fetch stage takes blocks from the load stream into an operand buffer
``MULTIPLY``  the execute stage runs all passes of a tile (or of some slices of it)

A command names a precision *slot* and an operand of it, never a width: the precision table says
how many planes are loaded and how many passes are run. At 0 bits the command retires without
touching buffers, array or streams (its tokens still move).

``wait`` takes a token that the other stage has given, before the command begins; ``signal`` gives
one to the other stage when the command has ended. No token is ever lost: a stage that would give
more than `TOKEN_LIMIT` waits.

Addresses are computed modulo 2^16; one beyond the buffer stops the engine with `Fault.ADDRESS`
before anything is written there.

Field offsets are the single source for `encode`, `decode` and the gateware's decoder.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract.errors import ParameterError
from hw.contract.precision import Operand

COMMAND_BITS = 128
COMMAND_BYTES = COMMAND_BITS // 8

TOKEN_LIMIT = 255
"""Most tokens that may wait in one direction; a stage that would give one more waits."""


class Opcode(enum.IntEnum):
    """First byte of a command. 0 is none, so that cleared memory is refused."""

    LOAD = 1
    MULTIPLY = 2


class Side(enum.IntEnum):
    """Which operand buffer a load fills."""

    ROWS = 0
    COLUMNS = 1


class Fault(enum.IntEnum):
    """Why the engine stopped; read from the STATUS register."""

    NONE = 0
    OPCODE = 1
    SLOT = 2
    PRECISION = 3
    COUNT = 4
    ADDRESS = 5

    @property
    def description(self) -> str:
        return _FAULT_TEXT[self]


_FAULT_TEXT = {
    Fault.NONE: "no fault",
    Fault.OPCODE: "unknown opcode",
    Fault.SLOT: "the slot or the operand it names does not exist",
    Fault.PRECISION: "the slot's bits exceed precision.max_bits",
    Fault.COUNT: "a command with no slices",
    Fault.ADDRESS: "an address beyond the operand buffer",
}


@dataclass(frozen=True)
class Field:
    """``width`` bits at ``offset`` of a command word, unsigned."""

    offset: int
    width: int


HEADER: Mapping[str, Field] = {
    "opcode": Field(0, 8),
    "wait": Field(8, 1),
    "signal": Field(9, 1),
    "slot": Field(16, 8),
}
LOAD_FIELDS: Mapping[str, Field] = {
    **HEADER,
    "operand": Field(24, 2),
    "side": Field(26, 1),
    "address": Field(32, 16),
    "slices": Field(48, 16),
    "slice_stride": Field(64, 16),
    "tile_stride": Field(80, 16),
}
MULTIPLY_FIELDS: Mapping[str, Field] = {
    **HEADER,
    "start": Field(10, 1),
    "finish": Field(11, 1),
    "row_operand": Field(24, 2),
    "row_signed": Field(26, 1),
    "column_operand": Field(27, 2),
    "column_signed": Field(29, 1),
    "row_address": Field(32, 16),
    "slices": Field(48, 16),
    "row_stride": Field(64, 16),
    "column_address": Field(80, 16),
    "column_stride": Field(96, 16),
}


@dataclass(frozen=True)
class Load:
    """Blocks from the load stream into an operand buffer.

    For each of ``slices``, for each digit of ``operand`` at the slot's bits, the
    ``spatial_bits * lane_groups`` blocks of that digit go to word
    ``address + slice * slice_stride + digit``. A block has M rows and a column word only N, so a
    column load fills ``M / N`` tiles at once, tile ``t`` at ``t * tile_stride`` further on.
    """

    slot: int
    operand: Operand
    side: Side
    address: int
    slices: int
    slice_stride: int
    tile_stride: int = 0
    wait: bool = False
    signal: bool = False


@dataclass(frozen=True)
class Multiply:
    """The passes of one tile over ``slices`` slices.

    Row words are read at ``row_address + slice * row_stride + digit``, column words likewise.
    ``start`` clears the accumulators first; ``finish`` sends the tile to the result stream. A
    dot product longer than the buffers is several commands: the first starts, the last finishes.
    Between a command that starts and the one that finishes, the slot's bits must not change.
    """

    slot: int
    row_operand: Operand
    column_operand: Operand
    row_address: int
    column_address: int
    slices: int
    row_stride: int
    column_stride: int
    row_signed: bool
    column_signed: bool
    start: bool = True
    finish: bool = True
    wait: bool = False
    signal: bool = False


Command = Load | Multiply


def encode(command: Command) -> int:
    """The 128-bit word of ``command``; `ParameterError` for a field that does not fit."""
    opcode, layout = _layout_of(command)
    word = int(opcode)
    for each in fields(command):
        value, place = int(getattr(command, each.name)), layout[each.name]
        if not 0 <= value < 1 << place.width:
            raise ParameterError(
                f"{type(command).__name__}.{each.name}", value, f"0..{(1 << place.width) - 1}"
            )
        word |= value << place.offset
    return word


def decode(word: int) -> Command:
    """Inverse of `encode`; `ParameterError` for an unknown opcode."""
    kinds: dict[int, type[Load] | type[Multiply]] = {
        Opcode.LOAD: Load,
        Opcode.MULTIPLY: Multiply,
    }
    opcode = word & 0xFF
    if opcode not in kinds:
        raise ParameterError("opcode", opcode, ", ".join(f"{o.value} ({o.name})" for o in Opcode))
    kind = kinds[opcode]
    layout = LOAD_FIELDS if kind is Load else MULTIPLY_FIELDS
    convert = {"operand": Operand, "row_operand": Operand, "column_operand": Operand, "side": Side}
    values: dict[str, Any] = {}
    for each in fields(kind):
        place = layout[each.name]
        raw = (word >> place.offset) & ((1 << place.width) - 1)
        flag = place.width == 1 and each.name != "side"
        values[each.name] = bool(raw) if flag else convert.get(each.name, int)(raw)
    return kind(**values)


def encode_all(commands: list[Command]) -> NDArray[np.uint8]:
    """The words of a command stream, ``[n, 16]`` bytes, least significant first."""
    data = b"".join(encode(command).to_bytes(COMMAND_BYTES, "little") for command in commands)
    return np.frombuffer(data, np.uint8).reshape(-1, COMMAND_BYTES)


def _layout_of(command: Command) -> tuple[Opcode, Mapping[str, Field]]:
    if isinstance(command, Load):
        return Opcode.LOAD, LOAD_FIELDS
    return Opcode.MULTIPLY, MULTIPLY_FIELDS
