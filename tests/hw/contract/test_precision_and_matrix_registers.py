"""Precision, and the register map that gateware, driver and documentation share."""

from pathlib import Path

import pytest

from hw.contract.errors import ParameterError
from hw.contract.matrix_registers import (
    ADDRESS_BITS,
    COUNTERS,
    TABLE_BASE,
    TABLE_FIELDS,
    RegisterMap,
    encode_precision,
)
from hw.contract.precision import Operand, Pass, Precision, value_range
from tests.hw.machines import machine


def test_parse_precision() -> None:
    assert Precision.parse("4,3,16") == Precision(4, 3, 16)
    assert Precision(4, 3, 6).bits(Operand.ERROR) == 6
    for text in ("4,4", "a,b,c", "4;4;6", ""):
        with pytest.raises(ParameterError, match="three numbers a,w,e"):
            Precision.parse(text)
    with pytest.raises(ParameterError, match=r"precision\.weight: got 17, allowed: .*0\.\.16"):
        Precision.parse("4,17,6")


def test_operands_of_the_passes() -> None:
    assert (Pass.FORWARD.row, Pass.FORWARD.column) == (Operand.ACTIVATION, Operand.WEIGHT)
    assert (Pass.ERROR.row, Pass.ERROR.column) == (Operand.ERROR, Operand.WEIGHT)
    assert (Pass.GRADIENT.row, Pass.GRADIENT.column) == (Operand.ACTIVATION, Operand.ERROR)
    assert [operand.signed for operand in Operand] == [False, True, True]


def test_value_ranges() -> None:
    assert value_range(1, True) == (-1, 0) and value_range(1, False) == (0, 1)
    assert value_range(16, True) == (-32768, 32767) and value_range(16, False) == (0, 65535)


def test_registers_have_places_of_their_own() -> None:
    p = machine("zc706")
    addresses = [register.address for register in RegisterMap(p).registers]
    for counter in COUNTERS:
        addresses += [counter.address, counter.address + 1]
    addresses += [RegisterMap(p).table_address(slot) for slot in range(p.precision.slots)]
    assert len(addresses) == len(set(addresses)) and max(addresses) < 1 << ADDRESS_BITS
    assert TABLE_BASE + 256 <= 1 << ADDRESS_BITS


def test_table_word() -> None:
    word = encode_precision(Precision(4, 3, 16))
    assert [field.extract(word) for field in TABLE_FIELDS] == [4, 3, 16]


def test_register_page_is_current(project_root: Path) -> None:
    page = project_root / "docs" / "registers.md"
    assert page.read_text() == RegisterMap(machine("zc706")).markdown(), (
        "docs/registers.md is stale: copy build/zc706/registers.md of `fractrain generate`"
    )
