"""Command words: pinned encodings, and decoding undoes encoding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.contract.errors import ParameterError
from hw.contract.matrix_commands import (
    LOAD_FIELDS,
    MULTIPLY_FIELDS,
    Load,
    Multiply,
    Side,
    decode,
    encode,
    encode_all,
)
from hw.contract.precision import Operand

half_word = st.integers(0, 65535)
loads = st.builds(
    Load,
    slot=st.integers(0, 255),
    operand=st.sampled_from(Operand),
    side=st.sampled_from(Side),
    address=half_word,
    slices=half_word,
    slice_stride=half_word,
    tile_stride=half_word,
    wait=st.booleans(),
    signal=st.booleans(),
)
multiplies = st.builds(
    Multiply,
    slot=st.integers(0, 255),
    row_operand=st.sampled_from(Operand),
    column_operand=st.sampled_from(Operand),
    row_address=half_word,
    column_address=half_word,
    slices=half_word,
    row_stride=half_word,
    column_stride=half_word,
    row_signed=st.booleans(),
    column_signed=st.booleans(),
    start=st.booleans(),
    finish=st.booleans(),
    wait=st.booleans(),
    signal=st.booleans(),
)


@given(loads | multiplies)
def test_decode_undoes_encode(command: Load | Multiply) -> None:
    assert decode(encode(command)) == command


def test_words_are_pinned() -> None:
    """Hosts and bitstreams of different dates must agree: a change here is a new build hash."""
    load = Load(0x12, Operand.ERROR, Side.COLUMNS, 0x3456, 0x789A, 0xBCDE, 0xF012, True, True)
    assert encode(load) == 0x0000_0000_F012_BCDE_789A_3456_0612_0301
    multiply = Multiply(
        0x12,
        Operand.ACTIVATION,
        Operand.ERROR,
        1,
        2,
        3,
        4,
        5,
        False,
        True,
        True,
        False,
        False,
        True,
    )
    assert encode(multiply) == 0x0000_0005_0002_0004_0003_0001_3012_0602


@pytest.mark.parametrize("fields", [LOAD_FIELDS, MULTIPLY_FIELDS])
def test_fields_do_not_overlap(fields: dict) -> None:
    bits = [bit for each in fields.values() for bit in range(each.offset, each.offset + each.width)]
    assert len(bits) == len(set(bits)) and max(bits) < 128


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"Load\.address: got 65536, allowed: 0\.\.65535"):
        encode(Load(0, Operand.WEIGHT, Side.ROWS, 65536, 1, 1))
    with pytest.raises(ParameterError, match=r"opcode: got 9, allowed: 1 \(LOAD\), 2 \(MULTIPLY\)"):
        decode(9)


def test_a_stream_is_little_endian() -> None:
    command = Load(7, Operand.WEIGHT, Side.ROWS, 1, 2, 3)
    stream = encode_all([command, command])
    assert stream.shape == (2, 16)
    assert bytes(stream[1]) == encode(command).to_bytes(16, "little")
