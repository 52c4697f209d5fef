"""The register map: its page is current, and nothing in it is in the way of anything else."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.parameters import load_parameters, preset_names
from fractrain.hw.contract.precision import MAX_BITS, Precision
from fractrain.hw.contract.registers import (
    ADDRESS_BITS,
    COUNTERS,
    REGISTERS,
    TABLE_FIELDS,
    VECTOR_COUNTERS,
    VECTOR_REGISTERS,
    VECTOR_TABLE_FIELDS,
    BitField,
    RegisterMap,
    encode_precision,
)

ALL_REGISTERS = (*REGISTERS, *VECTOR_REGISTERS)
ALL_COUNTERS = (*COUNTERS, *VECTOR_COUNTERS)
ALL_TABLE_FIELDS = (*TABLE_FIELDS, *VECTOR_TABLE_FIELDS)
BITFIELDS = {register.name: register.fields for register in ALL_REGISTERS} | {
    "table": ALL_TABLE_FIELDS
}


@pytest.mark.parametrize("preset", preset_names())
def test_register_page_is_current(preset: str, project_root: Path) -> None:
    """One page for all presets: what it says depends on none of them."""
    page = project_root / "docs" / "registers.md"
    made = RegisterMap(load_parameters(preset)).markdown()
    assert page.read_text(encoding="utf-8") == made, (
        "docs/registers.md is stale: copy build/zc706/registers.md of `fractrain generate`"
    )


@pytest.mark.parametrize("preset", preset_names())
def test_addresses_are_distinct(preset: str) -> None:
    """Registers, both words of all counters, and the table have addresses of their own."""
    layout = RegisterMap(load_parameters(preset))
    addresses = [register.address for register in ALL_REGISTERS]
    for tag in Tag:
        for counter in ALL_COUNTERS:
            addresses += [counter.address(tag), counter.address(tag) + 1]
    addresses += [layout.table_address(slot) for slot in range(layout.slots)]
    assert len(addresses) == len(set(addresses))
    assert 0 <= min(addresses) and max(addresses) < 1 << ADDRESS_BITS


def test_the_table_has_room_for_every_slot() -> None:
    """256 slots, as many as a command can name, whatever the machine has."""
    first = RegisterMap(load_parameters("tiny")).table_address(0)
    assert first % 256 == 0 and first + 256 <= 1 << ADDRESS_BITS


def test_counters_are_aligned() -> None:
    """A counter's words are a pair, and its tag and number are bits of the address."""
    for tag in Tag:
        for counter in ALL_COUNTERS:
            address = counter.address(tag)
            assert address % 2 == 0
            assert address == 64 + 32 * tag + 2 * counter.number
    assert sorted(counter.number for counter in ALL_COUNTERS) == list(range(len(ALL_COUNTERS)))


def test_names_are_distinct() -> None:
    names = [register.name for register in ALL_REGISTERS]
    names += [f"{tag.name}_{counter.name}" for tag in Tag for counter in ALL_COUNTERS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("fields", BITFIELDS.values(), ids=BITFIELDS)
def test_fields_do_not_overlap(fields: Sequence[BitField]) -> None:
    bits = [bit for each in fields for bit in range(each.offset, each.offset + each.width)]
    assert len(bits) == len(set(bits)) and all(0 <= bit < 32 for bit in bits)
    assert len({each.name for each in fields}) == len(fields)


def test_table_word() -> None:
    """Pinned: activation from bit 0 on, weight from 8, error from 16."""
    assert encode_precision(Precision(4, 3, 16)) == 0x0010_0304
    assert encode_precision(Precision(4, 3, 16), KeptBits(11, 8)) == 0x8B10_0304


@given(st.tuples(*[st.integers(0, MAX_BITS)] * 3, st.integers(4, 11), st.integers(4, 8)))
def test_table_fields_give_back_what_was_written(bits: tuple[int, ...]) -> None:
    word = encode_precision(Precision(*bits[:3]), KeptBits(*bits[3:]))
    assert [field.extract(word) for field in ALL_TABLE_FIELDS] == list(bits)
    assert sum(field.insert(field.extract(word)) for field in ALL_TABLE_FIELDS) == word
