"""Good commands at random, and programs in which one of them is carried out."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from fractrain.hw.contract.commands import (
    FIELDS,
    KINDS,
    NO_GROUP,
    Command,
    Convolve,
    End,
    Form,
    Narrow,
    Opcode,
    Pattern,
    RowPixels,
    Shape,
    Stage,
    field_types,
)
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.precision import Operand, Precision
from tests.coverage.drawing import Random
from tests.coverage.vector_unit.fields import TOO_WIDE, Kind, kind_of
from tests.hw.control.unit_commands import Entry

__all__ = ["KEPT", "TABLE", "WIDE", "draw_command", "program_of"]

TABLE = (Precision(2, 1, 3), Precision(5, 2, 4), Precision(8, 8, 12), Precision(1, 3, 2))
"""Of the first slots, which commands name."""
KEPT = (KeptBits(8, 6), KeptBits(5, 4), KeptBits(11, 8), KeptBits(4, 7))
WIDE = Entry(17, 17, 17), KeptBits(12, 3)
"""The slot behind them: more than any command takes. All others have nothing."""

assert len(TABLE) == TOO_WIDE

TENSORS = 1 << 16
"""From here on, so many bytes each, what commands read and write in memory."""
TENSOR_BYTES = 1 << 13
TENSORS_COUNT = 32

BITS: Mapping[tuple[Opcode, str], tuple[int, ...]] = {
    (Opcode.STORE, "bits"): (1, 5, 16),
    (Opcode.STORE, "shift"): (0, 3),
    (Opcode.RECALL, "bits"): (8, 9, 11),
    (Opcode.FORM, "residual_bits"): (8, 10, 11),
    (Opcode.CHANNEL, "pixels"): (1, 16, 1000, (1 << 17) - 1),
    (Opcode.CHANNEL, "share"): (0,),
    (Opcode.PATTERN, "entry"): (1, 2),
    (Opcode.CONVOLVE, "pattern"): (0,),
    (Opcode.CONVOLVE, "pairs"): (1,),
}
OPERANDS: Mapping[Opcode, tuple[Operand, Operand]] = {
    Opcode.QUANTIZE: (Operand.WEIGHT, Operand.ACTIVATION),
    **dict.fromkeys((Opcode.JOIN, Opcode.CARRY, Opcode.APPLY), (Operand.ERROR, Operand.WEIGHT)),
}
WHOLE_ROWS = 255
TILES = "tiles_x", "tiles_y", "images"


def draw_command(random: Random, opcode: Opcode) -> Command:
    """One that nothing is wrong with, for tensors of a few blocks: flags and codes are any."""
    values = {name: _draw(random, opcode, name) for name in FIELDS[opcode] if name != "opcode"}
    if opcode is Opcode.APPLY or opcode is Opcode.CARRY:
        values["shape"] = 0
    if "skipped" in values:
        values["skipped"] = False
    if values.get("memory") == 0:  # a LOAD to the planes has lane groups, too, and no use for them
        values["groups"] = 0
    return KINDS[opcode](**values)


def _draw(random: Random, opcode: Opcode, name: str) -> Any:
    field, of, kind = FIELDS[opcode][name], field_types(opcode)[name], kind_of(opcode, name)
    if name in ("wait", "signal", "entry"):
        return random.number(1, 2) if opcode is Opcode.PATTERN and name == "entry" else 0
    if name in ("operand", "partner"):
        usual = OPERANDS.get(opcode, (Operand.ACTIVATION, Operand.WEIGHT))
        return usual[name == "partner"]
    if kind is Kind.SLOT:
        return random.number(0, len(TABLE) - 1)
    if (opcode, name) in BITS:
        return random.choice(BITS[opcode, name])
    if name == "groups":
        groups = [random.choice([0, 3, 8, NO_GROUP]) for _ in range(10)]
        return sum(group << 4 * half for half, group in enumerate(groups)) % (1 << field.width)
    if name in ("valid_x", "valid_y"):
        return WHOLE_ROWS
    if isinstance(of, type) and issubclass(of, enum.Enum):
        return random.choice(list(of))
    if of is bool:
        return random.chance(0.5)
    if field.count or name == "words":
        return random.number(1, 2)
    if kind is Kind.SHAPE:
        return 0
    if name == "velocity":
        return TENSOR_BYTES * TENSORS_COUNT
    if kind is Kind.MEMORY:
        return TENSORS + TENSOR_BYTES * random.number(0, TENSORS_COUNT - 1)
    if kind is Kind.CHIP:
        return 2 * random.number(0, 8)
    if name == "image_blocks":
        return random.number(8, 16)
    return random.number(0, min(field.greatest, 3))


def program_of(command: Command, opcode: Opcode) -> tuple[list[Command], int]:
    """Commands before and behind it that it cannot do without, it among them; its place."""
    first: list[Command] = [Shape(entry=0, stash_stride=3, plane_stride=3), _pattern()]
    behind: list[Command] = []
    if opcode.stage is Stage.RESULT:
        tiles = {name: max(1, getattr(command, name)) for name in TILES}
        first.append(_convolve(**tiles))
    elif opcode is Opcode.CONVOLVE:
        assert isinstance(command, Convolve)
        counts = {name: max(1, getattr(command, name)) for name in TILES}
        if command.reduce:
            counts = dict.fromkeys(TILES, 1)
        if command.finish or not command.reduce:
            behind.append(Narrow(**counts))
    elif opcode is Opcode.SHAPE:
        behind += [_forming(False), _forming(True)]
    return [*first, command, *behind, End()], len(first)


def _pattern() -> Pattern:
    """Every pixel of slot 0 of the window is written."""
    return Pattern(entry=0, a_enable=True, a_quarters=0b1111)


def _convolve(**tiles: int) -> Convolve:
    return Convolve(
        slot=0,
        operand=Operand.ACTIVATION,
        partner=Operand.WEIGHT,
        row_signed=False,
        column_signed=True,
        pattern=0,
        pairs=1,
        address=0,
        column_address=0,
        groups=1,
        row_pixels=RowPixels.WHOLE,
        **tiles,
    )


def _forming(pooled: bool) -> Form:
    """Reads and writes whatever a shape places."""
    return Form(
        shape=0,
        slot=0,
        normalized=True,
        planed=True,
        kept=True,
        stash_normalized=True,
        stash_mask=True,
        stash_activations=True,
        stash_residual=True,
        pooled=pooled,
        residual_bits=8,
        stash=TENSORS,
        pool=TENSORS,
    )
