"""What can be wrong with a field of a command, by the contract's table of fields alone: a field
that is new is of a kind, too, and so are its wrong numbers."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

from fractrain.hw.contract.commands import (
    FIELDS,
    HEADER,
    SIGNAL,
    WAIT,
    Fault,
    Field,
    Opcode,
    field_types,
)
from fractrain.hw.contract.parameters import Parameters

__all__ = ["Kind", "Wrong", "kind_of", "wrong_numbers"]

BEYOND_MEMORY = 0xFFFF_0000
"""An address that no window of a test contains, aligned to everything."""
NOT_ALIGNED = 8
ON_CHIP = re.compile(r"\bfirst (word|line|record|peak|channel|beat)\b|\brecord\b|\bpeak of\b")
UNWRITTEN_SHAPE = 15
TOO_WIDE = 4
"""The slot in which a test has more bits of everything than any command takes."""


class Kind(enum.Enum):
    """Of a field; ``fault``: what a wrong number in it is, NONE where none is wrong."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.fault = fault

    OPCODE = 0, Fault.OPCODE
    SLOT = 1, Fault.SLOT
    CODE = 2, Fault.COUNT
    """An enumeration with fewer members than its bits have room for."""
    COUNT = 3, Fault.COUNT
    TOKENS = 4, Fault.COUNT
    RANGE = 5, Fault.COUNT
    """A number whose limits are not those of its bits."""
    SHAPE = 6, Fault.COUNT
    """An entry of the shape table, which has to be there."""
    CHIP = 7, Fault.ADDRESS
    MEMORY = 8, Fault.WINDOW
    FREE = 9, Fault.NONE
    """Anything may stand there: strides, flags, numbers of tensors."""


SPECIAL = {
    (Kind.MEMORY, NOT_ALIGNED): Fault.ALIGNMENT,
    (Kind.SLOT, TOO_WIDE): Fault.PRECISION,
}
"""Wrong numbers that are another fault than those of their kind."""


@dataclass(frozen=True)
class Wrong:
    """``value`` in field ``name``; ``fault``: what that is, NONE if it depends on the others."""

    name: str
    value: int
    fault: Fault


RANGES: dict[tuple[Opcode, str], tuple[int, ...]] = {
    (Opcode.STORE, "bits"): (0, 17, 31),
    (Opcode.RECALL, "bits"): (0, 7, 12, 31),
    (Opcode.FORM, "residual_bits"): (0, 7, 17, 31),
    (Opcode.CHANNEL, "pixels"): (1 << 17, (1 << 17) + 1, (1 << 18) - 1),
    (Opcode.CHANNEL, "share"): (1, 128, 255),
    (Opcode.PATTERN, "entry"): (255,),
    (Opcode.CONVOLVE, "pattern"): (255,),
    (Opcode.LOAD, "words"): (0, 6),
    (Opcode.MOVE, "words"): (0, 6, 4095),
    (Opcode.LOAD, "groups"): (9, 14 << 4),
    (Opcode.MOVE, "groups"): (9, 14 << 4),
}
"""Numbers that are out of what docs/commands.md says of them."""


def kind_of(opcode: Opcode, name: str) -> Kind:
    """By what the tables say of the field."""
    field, kind = FIELDS[opcode][name], field_types(opcode)[name]
    if name == "opcode":
        return Kind.OPCODE
    if name in ("wait", "signal"):
        return Kind.TOKENS
    if name in ("operand", "partner") or (name.endswith("slot") and field.width == 8):
        return Kind.SLOT
    if (opcode, name) in RANGES:
        return Kind.RANGE
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return Kind.CODE if len(kind) < 1 << field.width else Kind.FREE
    if field.count:
        return Kind.COUNT
    if name == "shape":
        return Kind.SHAPE
    if field.width == 32 and "byte" in field.meaning:
        return Kind.MEMORY
    if field.width in (12, 16) and ON_CHIP.search(field.meaning):
        return Kind.CHIP
    return Kind.FREE


def wrong_numbers(p: Parameters, opcode: Opcode) -> Iterator[Wrong]:
    """All that is tried of a command: wrong ones of each kind; of what is free its ends."""
    for name, field in FIELDS[opcode].items():
        kind = kind_of(opcode, name)
        for value in _values(p, opcode, name, field, kind):
            fault = SPECIAL.get((kind, value), kind.fault)
            yield Wrong(name, value, fault)


def reads_bits(opcode: Opcode, name: str) -> bool:
    """Whether a slot's bits may be too many for who names it there."""
    return opcode.skips if name == "slot" else name != "mask_slot"


def _values(p: Parameters, opcode: Opcode, name: str, field: Field, kind: Kind) -> tuple[int, ...]:
    ends = 0, (1 << field.width) - 1
    if kind is Kind.OPCODE:
        return () if opcode is not Opcode.LOAD else (0, max(Opcode) + 1, 255)
    if kind is Kind.TOKENS:
        of = {"wait": WAIT, "signal": SIGNAL}[name]
        known = len(of[opcode.stage]) if opcode.stage is not None else 0
        return tuple(1 << bit for bit in range(known, HEADER[name].width))
    if kind is Kind.SLOT and field.width == 8:
        wide = (TOO_WIDE,) if reads_bits(opcode, name) else ()
        return p.precision.slots, ends[1], *wide
    if kind in (Kind.SLOT, Kind.CODE):
        return tuple(range(len(list(field_types(opcode)[name])), 1 << field.width))
    if kind is Kind.COUNT:
        return (0,)
    if kind is Kind.RANGE:
        return RANGES[opcode, name]
    if kind is Kind.SHAPE:
        return (UNWRITTEN_SHAPE,)
    if kind is Kind.CHIP:
        return (ends[1],)
    if kind is Kind.MEMORY:
        return BEYOND_MEMORY, NOT_ALIGNED
    return ends
