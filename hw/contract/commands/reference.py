"""The reference page of the commands: ``docs/commands.md`` is this text."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

from fractrain.hw.contract import commands
from fractrain.hw.contract.commands.commands import Command
from fractrain.hw.contract.commands.encoding import KINDS, field_types
from fractrain.hw.contract.commands.enums import (
    ENGINE_SIGNAL,
    ENGINE_WAIT,
    SIGNAL,
    WAIT,
    Described,
    Earlier,
    Format,
    Memory,
    Opcode,
    Recalled,
    RowPixels,
    Second,
    Stage,
    Tag,
    Variant,
    Zero,
)
from fractrain.hw.contract.commands.field import Field
from fractrain.hw.contract.commands.fields import FIELDS, HEADER
from fractrain.hw.contract.precision import Operand
from fractrain.hw.contract.tables import markdown_table

_ENUMERATIONS = (Memory, Format, RowPixels, Variant, Tag, Recalled, Earlier, Second)


def markdown() -> str:
    """One section for each command, with its encoding, and one for what fields can say."""
    about, *rest = _text(commands).split("\n\n", 1)
    lines = [
        "# Commands",
        "",
        about,
        "",
        "Made from `hw/contract/commands` by `fractrain generate`; a test fails when this page is "
        "not current. C, P, K and S are those of [engine.md](engine.md); offsets count bits of the "
        "word, which is little-endian in memory. A number that does not fit is refused when it is "
        "encoded, one that makes no sense is a fault ([registers.md](registers.md)).",
        "",
        *rest,
        "",
        _summary(),
        "",
        "## Every command",
        "",
        _table(HEADER, field_types(Opcode.END)),
        "",
        _tokens(),
        "",
    ]
    for opcode, kind in KINDS.items():
        lines += _section(opcode, kind)
    lines += ["## What fields can say", ""]
    for enumeration in _ENUMERATIONS:
        lines += _enumeration(enumeration)
    operands = ", ".join(f"{each.value} {each.name}" for each in Operand)
    zeros = ", ".join(f"{each.value} {each.name}" for each in Zero)
    lines += [f"**Operand**: {operands}.", "", f"**Zero**, to be added up: {zeros}.", ""]
    return "\n".join(lines)


def _text(documented: object) -> str:
    """A docstring as Markdown: what is code has one backtick on each side."""
    return (inspect.getdoc(documented) or "").replace("``", "`")


def _summary() -> str:
    rows = []
    for opcode, kind in KINDS.items():
        stage = opcode.stage.name.lower() if opcode.stage is not None else "all"
        first = _text(kind).split("\n\n", 1)[0].replace("\n", " ")
        link = f"[{opcode.name}](#{opcode.name.lower()})"
        rows.append((str(opcode.value), link, stage, first))
    return markdown_table(("opcode", "command", "stage", "does"), rows)


def _section(opcode: Opcode, kind: type[Command]) -> list[str]:
    """The command's meaning, then its bits behind those that all commands have."""
    own = {name: field for name, field in FIELDS[opcode].items() if name not in HEADER}
    table = [_table(own, field_types(opcode)), ""] if own else []
    return [f"## {opcode.name}", "", _text(kind), "", *table]


def _table(fields: Mapping[str, Field], types: Mapping[str, type]) -> str:
    rows = []
    for name, field in fields.items():
        top = field.offset + field.width - 1
        bits = f"{top}:{field.offset}" if field.width > 1 else str(field.offset)
        rows.append((bits, f"`{name}`", _values(field, types[name]), field.meaning))
    return markdown_table(("bits", "field", "is", "meaning"), rows)


def _values(field: Field, kind: type) -> str:
    """What numbers the field takes, or the name of what lists them."""
    if kind not in (int, bool):
        return kind.__name__
    if kind is bool:
        return "0, 1"
    least, most = 1 if field.count else field.least, field.greatest
    return f"{least}..{most}" if most < 1 << 16 else f"{least}..2^{most.bit_length()} - 1"


def _tokens() -> str:
    rows = [
        (
            stage.name,
            _names(WAIT[stage], ENGINE_WAIT.get(stage, ())),
            _names(SIGNAL[stage], ENGINE_SIGNAL.get(stage, ())),
        )
        for stage in Stage
    ]
    heads = ("stage", "bits of `wait`, from 0", "bits of `signal`, from 0")
    table = markdown_table(heads, rows)
    note = "In italics: on a machine with a vector unit. The host takes and gives by registers."
    return f"{table}\n\n{note}"


def _names(stages: Sequence[Stage], without: Sequence[Stage]) -> str:
    """``stages``, in italics where a machine ``without`` a vector unit has not all of them."""
    return (
        ", ".join(each.name if each in without else f"*{each.name}*" for each in stages) or "none"
    )


def _enumeration(enumeration: type[Described]) -> list[str]:
    rows = [(str(each.value), each.name, each.description) for each in enumeration]
    about = f"**{enumeration.__name__}**: {_text(enumeration)}"
    return [about, "", markdown_table(("value", "name", "is"), rows), ""]
