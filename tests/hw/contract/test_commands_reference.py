"""The page of the commands is current, and says of every field where it is."""

from pathlib import Path

from fractrain.hw.contract.commands import (
    FIELDS,
    HEADER,
    Earlier,
    Fault,
    Format,
    Memory,
    Opcode,
    Recalled,
    Second,
    Variant,
)
from fractrain.hw.contract.commands.reference import markdown


def test_page_is_current(project_root: Path) -> None:
    page = project_root / "docs" / "commands.md"
    assert page.read_text(encoding="utf-8") == markdown(), (
        "docs/commands.md is stale: copy build/zc706/commands.md of `fractrain generate`"
    )


def test_every_command_has_a_section_with_all_of_its_fields() -> None:
    page = markdown()
    for opcode in Opcode:
        _, found, section = page.partition(f"\n## {opcode.name}\n")
        assert found
        section, _, _ = section.partition("\n## ")
        rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
        named = {row[1].strip("`"): row[0].removeprefix("| ") for row in rows}
        own = {name: each for name, each in FIELDS[opcode].items() if name not in HEADER}
        assert list(named) == list(own)
        for name, field in own.items():
            top = field.offset + field.width - 1
            assert named[name] == (f"{top}:{field.offset}" if field.width > 1 else f"{top}")


def test_every_value_of_an_enumeration_is_described() -> None:
    page = markdown()
    for enumeration in (Memory, Format, Variant, Recalled, Earlier, Second):
        for each in enumeration:
            assert f"| {each.value} | {each.name} | {each.description} |" in page
    assert all(each.description for each in Fault)
