"""The .bit file is taken apart and turned into what Linux's FPGA manager accepts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fractrain.gen.bitstream.bit_file import MAGIC, parse_bit, to_bin
from fractrain.hw.contract.errors import DataError
from fractrain.hw.targets.registry import targets
from tests.gen.bitstream.bit_files import PROLOGUE, SYNC, bit_file

ZC706 = targets()["zc706"]
WORDS = st.binary(max_size=256).map(lambda data: data[: len(data) // 4 * 4])


def accepted_by_linux(data: bytes) -> bool:
    """What zynq-fpga.c asks of a whole bitstream: the sync word at a multiple of four bytes."""
    return any(data[i : i + 4] == b"\x66\x55\x99\xaa" for i in range(0, len(data) - 3, 4))


def test_header_is_taken_apart() -> None:
    bit = parse_bit(bit_file(PROLOGUE + SYNC), "a.bit")
    assert bit.design == "system_wrapper;UserID=0XFFFFFFFF;Version=2023.2"
    assert (bit.part, bit.date, bit.time) == ("7z045ffg900", "2024/02/29", "12:34:56")
    assert bit.data == PROLOGUE + SYNC


def test_bin_of_a_known_bitstream() -> None:
    expected = bytes.fromhex("ffffffff" * 8 + "bb000000 44002211 ffffffff ffffffff 665599aa")
    assert to_bin(bit_file(PROLOGUE + SYNC), ZC706, "a.bit") == expected


@given(before=WORDS, after=WORDS)
def test_every_word_is_turned_round(before: bytes, after: bytes) -> None:
    data = before + SYNC + after
    converted = to_bin(bit_file(data), ZC706, "a.bit")
    assert len(converted) == len(data)
    for start in range(0, len(data), 4):
        assert converted[start : start + 4] == data[start : start + 4][::-1]
    assert accepted_by_linux(converted)


@given(data=st.binary(max_size=64), cut=st.integers(1, 200))
def test_truncated_at_any_place(data: bytes, cut: int) -> None:
    whole = bit_file(SYNC + data[: len(data) // 4 * 4])
    with pytest.raises(DataError, match=r"^a\.bit "):
        to_bin(whole[: max(0, len(whole) - cut)], ZC706, "a.bit")


@given(content=st.binary(max_size=200), genuine=st.booleans())
def test_anything_else_is_refused_without_another_exception(content: bytes, genuine: bool) -> None:
    with pytest.raises(DataError, match=r"^a\.bit"):
        to_bin(MAGIC + content if genuine else content, ZC706, "a.bit")


@pytest.mark.parametrize("part", ["7z045ffg900", "xc7z045ffg900-2", "xc7z045ffg900"])
def test_part_as_each_tool_writes_it(part: str) -> None:
    assert to_bin(bit_file(part=part), ZC706, "a.bit")


def test_another_target_takes_another_part() -> None:
    zedboard = targets()["zedboard"]
    assert to_bin(bit_file(part="7z020clg484"), zedboard, "a.bit")
    with pytest.raises(DataError, match="'7z045ffg900'; the ZedBoard has a 7z020clg484"):
        to_bin(bit_file(), zedboard, "a.bit")


@pytest.mark.parametrize("part", ["7z020clg484", "7z045fbg676", "xc7z045ffg900es", "", "7z045"])
def test_another_part(part: str) -> None:
    with pytest.raises(DataError, match="is for the part .*the ZC706 has a 7z045ffg900"):
        to_bin(bit_file(part=part), ZC706, "a.bit")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "sync word"),
        (PROLOGUE, "AA 99 55 66"),
        (b"\xff" + SYNC + b"\xff" * 3, "multiple of four"),
        (SYNC + b"\xff", "no whole 32-bit words"),
    ],
)
def test_data_without_a_configuration(data: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        to_bin(bit_file(data), ZC706, "a.bit")


def test_something_behind_the_data() -> None:
    with pytest.raises(DataError, match="3 bytes after its data"):
        to_bin(bit_file() + b"abc", ZC706, "a.bit")


def test_fields_in_another_order() -> None:
    swapped = bit_file().replace(b"b\x00\x0c7z045", b"x\x00\x0c7z045")
    with pytest.raises(DataError, match="expected was field 'b'"):
        parse_bit(swapped, "a.bit")
