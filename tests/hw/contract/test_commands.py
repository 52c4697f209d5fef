"""Command words: pinned encodings, decoding undoes encoding, and nothing is cut to fit."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.commands import (
    COMMAND_BITS,
    COMMAND_BYTES,
    ENGINE_OPCODES,
    ENGINE_SIGNAL,
    ENGINE_STAGES,
    ENGINE_WAIT,
    FIELDS,
    HEADER,
    SIGNAL,
    STAGES,
    WAIT,
    Apply,
    Carry,
    Channel,
    Command,
    Convolve,
    Earlier,
    End,
    Field,
    Fill,
    Form,
    Format,
    Join,
    Load,
    Memory,
    Move,
    Narrow,
    Normalize,
    Opcode,
    Pattern,
    Quantize,
    Recall,
    Recalled,
    Recompute,
    Report,
    RowPixels,
    Second,
    Set,
    Shape,
    Spill,
    Stage,
    Store,
    Tag,
    Update,
    decode,
    encode,
    encode_all,
)
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Operand
from tests.hw.contract.vector_words import VECTOR_PINNED

Tokens = Mapping[Stage, tuple[Stage, ...]]

KINDS: Mapping[Opcode, type[Command]] = {
    Opcode.LOAD: Load,
    Opcode.CONVOLVE: Convolve,
    Opcode.STORE: Store,
    Opcode.PATTERN: Pattern,
    Opcode.END: End,
    Opcode.MOVE: Move,
    Opcode.RECALL: Recall,
    Opcode.FILL: Fill,
    Opcode.SET: Set,
    Opcode.NARROW: Narrow,
    Opcode.JOIN: Join,
    Opcode.SHAPE: Shape,
    Opcode.CHANNEL: Channel,
    Opcode.NORMALIZE: Normalize,
    Opcode.FORM: Form,
    Opcode.RECOMPUTE: Recompute,
    Opcode.CARRY: Carry,
    Opcode.APPLY: Apply,
    Opcode.SPILL: Spill,
    Opcode.REPORT: Report,
    Opcode.QUANTIZE: Quantize,
    Opcode.UPDATE: Update,
}
ENUMERATIONS = {
    "operand": Operand,
    "partner": Operand,
    "memory": Memory,
    "format": Format,
    "row_pixels": RowPixels,
    "tag": Tag,
    "kind": Recalled,
    "earlier": Earlier,
    "second": Second,
}


def limits(place: Field) -> tuple[int, int]:
    """Least and greatest value of a field."""
    if place.signed:
        return -(2 ** (place.width - 1)), 2 ** (place.width - 1) - 1
    return 0, 2**place.width - 1


def values(name: str, place: Field) -> st.SearchStrategy[Any]:
    if name in ENUMERATIONS:
        return st.sampled_from(list(ENUMERATIONS[name]))
    return st.booleans() if place.width == 1 else st.integers(*limits(place))


def commands(opcode: Opcode) -> st.SearchStrategy[Command]:
    """Commands of one kind, each of whose fields has any value that it can have."""
    drawn = {name: values(name, each) for name, each in FIELDS[opcode].items() if name != "opcode"}
    return st.builds(KINDS[opcode], **drawn)


ALL_FIELDS = [
    pytest.param(opcode, name, id=f"{opcode.name}-{name}")
    for opcode in Opcode
    for name in FIELDS[opcode]
    if name != "opcode"
]

LOAD = Load(
    slot=0x12, operand=Operand.ERROR, partner=Operand.WEIGHT, memory=Memory.COLUMNS,
    address=0x89AB_CDEF, runs=0xF01, words=0x234, destination=0x5678, digit_stride=0x34_5678,
    run_stride=0x9A_BCDE, destination_digit_stride=0x9ABC, destination_run_stride=0xDEF0,
    groups=0x12_3456_789A, transposed=True, tag=Tag.GRADIENT, wait=2, signal=1,
)  # fmt: skip
# From the top: groups, the destination's strides and itself, words and runs, run and digit stride,
# address, then transposed, memory, tag, partner, operand (1 1 10 01 10), slot, signal, wait, opcode
LOAD_WORD = int(
    "00000000 123456789A DEF0 9ABC 5678 234F01 9ABCDE 345678 89ABCDEF E6121201".replace(" ", ""), 16
)

PATTERN = Pattern(
    entry=0x3F, a_enable=True, a_offset=-2, a_zero=0x11, a_variants=0o210, a_quarters=0x8_0000_0FFF,
    a_rotations=0x2_1234, b_enable=True, b_offset=5, b_zero=0x0A, b_variants=0o765,
    b_quarters=0x9_8765_4321, b_rotations=0x1_5555, slot=7, operand=Operand.WEIGHT,
    partner=Operand.ERROR, tag=Tag.ERROR, wait=3, signal=1,
)  # fmt: skip
PATTERN_WORD = (
    4 | 3 << 8 | 1 << 12 | 7 << 16 | 1 << 24 | 2 << 26 | 1 << 28
    | 0x3F << 30 | 1 << 38 | 0x3FFE << 39 | 0x11 << 53 | 0o210 << 58 | 0x8_0000_0FFF << 67
    | 0x2_1234 << 103 | 1 << 121 | 5 << 122 | 0x0A << 136 | 0o765 << 141 | 0x9_8765_4321 << 150
    | 0x1_5555 << 186
)  # fmt: skip

CONVOLVE = Convolve(
    slot=255, operand=Operand.ACTIVATION, partner=Operand.ERROR, row_signed=False,
    column_signed=True, pattern=0x81, pairs=12, address=0x1234, column_address=0xFEDC, groups=0x155,
    slices=0x201, tiles_x=33, tiles_y=0x82, images=0x801, digit_stride=0xABC, slice_stride=0x8001,
    x_stride=9, y_stride=0xDEF, image_stride=0xBEEF, column_slice_stride=0xCAFE,
    row_pixels=RowPixels.HALF, top_edge=False, bottom_edge=True, gradient=True, start=True,
    finish=False, reduce=True, tag=Tag.FORWARD, wait=1, signal=0,
)  # fmt: skip
CONVOLVE_WORD = (
    2 | 1 << 8 | 0 << 12 | 255 << 16 | 0 << 24 | 2 << 26 | 0 << 28
    | 1 << 30 | 0 << 31 | 1 << 32 | 1 << 33 | 0 << 34 | 1 << 35 | 1 << 36 | 0 << 38 | 1 << 39
    | 0x155 << 40 | 0x81 << 49 | 12 << 57 | 0x1234 << 62 | 0xABC << 78 | 0x8001 << 90
    | 0x201 << 106 | 33 << 116 | 9 << 122 | 0x82 << 126 | 0xDEF << 134 | 0x801 << 146
    | 0xBEEF << 158 | 0xFEDC << 174 | 0xCAFE << 190
)  # fmt: skip

STORE = Store(
    slot=1, operand=Operand.WEIGHT, partner=Operand.ACTIVATION, format=Format.PLANES,
    address=0xF00D_BEE5, tile_stride=0x8765, digit_stride=0x80_0001, tiles_x=34, tiles_y=0x83,
    images=0x802, add=True, keep=False, gradient_address=0x9669, signed=True, shift=35, bits=16,
    row_pixels=RowPixels.WHOLE, valid_x=200, valid_y=100, tag=Tag.OTHER, wait=0, signal=3,
)  # fmt: skip
STORE_WORD = (
    3 | 0 << 8 | 3 << 12 | 1 << 16 | 1 << 24 | 0 << 26 | 3 << 28
    | 4 << 30 | 1 << 33 | 0 << 34 | 1 << 35 | 35 << 36 | 16 << 42 | 0x9669 << 47
    | 0xF00D_BEE5 << 63 | 0x8765 << 95 | 0x80_0001 << 111 | 2 << 135 | 34 << 137 | 0x83 << 143
    | 0x802 << 151 | 200 << 163 | 100 << 171
)  # fmt: skip

PINNED = [
    (LOAD, LOAD_WORD),
    (PATTERN, PATTERN_WORD),
    (CONVOLVE, CONVOLVE_WORD),
    (STORE, STORE_WORD),
    (End(), 0x3400_0005),  # its partner is the weight, its tag OTHER
    *VECTOR_PINNED,
]


@pytest.mark.parametrize(
    ("command", "word"), PINNED, ids=[type(each).__name__ for each, _ in PINNED]
)
def test_words_are_pinned(command: Command, word: int) -> None:
    """Hosts and bitstreams of different dates must agree: a change here is a new build hash."""
    assert f"{encode(command):064x}" == f"{word:064x}"
    assert decode(word) == command


@pytest.mark.parametrize("opcode", Opcode)
def test_dataclass_and_layout_have_the_same_fields(opcode: Opcode) -> None:
    assert {each.name for each in fields(KINDS[opcode])} | {"opcode"} == set(FIELDS[opcode])


@pytest.mark.parametrize("opcode", Opcode)
def test_fields_do_not_overlap(opcode: Opcode) -> None:
    places = FIELDS[opcode].values()
    bits = [bit for each in places for bit in range(each.offset, each.offset + each.width)]
    assert len(bits) == len(set(bits)) and max(bits) < COMMAND_BITS
    assert all(FIELDS[opcode][name] == place for name, place in HEADER.items())


@pytest.mark.parametrize("opcode", Opcode)
def test_decode_undoes_encode(opcode: Opcode) -> None:
    """And every value is where the layout says, with nothing beside."""

    @given(commands(opcode))
    @settings(max_examples=60, deadline=None)
    def check(command: Command) -> None:
        word = encode(command)
        assert decode(word) == command
        rest = word
        for name, place in FIELDS[opcode].items():
            raw = word >> place.offset & (1 << place.width) - 1
            value = opcode if name == "opcode" else getattr(command, name)
            assert raw == value % (1 << place.width), name
            rest ^= raw << place.offset
        assert rest == 0

    check()


@pytest.mark.parametrize(("opcode", "name"), ALL_FIELDS)
def test_what_does_not_fit_is_refused(opcode: Opcode, name: str) -> None:
    """On either side, by one and by much; both ends of the range fit."""
    command, place = decode(int(opcode)), FIELDS[opcode][name]
    low, high = limits(place)
    for value in (low, high):
        raw = encode(replace(command, **{name: value})) >> place.offset & (1 << place.width) - 1
        assert raw == value % (1 << place.width)
    refused = rf"{KINDS[opcode].__name__}\.{name}: got (-?\d+), allowed: {low}\.\.{high}$"
    for value in (low - 1, high + 1, low - (1 << place.width), 1 << 256):
        with pytest.raises(ParameterError, match=refused):
            encode(replace(command, **{name: value}))


@pytest.mark.parametrize("opcode", sorted(set(range(256)) - set(Opcode)))
def test_unknown_opcodes_are_refused(opcode: int) -> None:
    with pytest.raises(ParameterError, match=rf"opcode: got {opcode}, allowed: 1 \(LOAD\), 2"):
        decode(opcode | 0xFFFF << 8)


@pytest.mark.parametrize(
    ("wait", "signal"), [(ENGINE_WAIT, ENGINE_SIGNAL), (WAIT, SIGNAL)], ids=["engine", "vector"]
)
def test_tokens_have_a_bit_at_either_end(wait: Tokens, signal: Tokens) -> None:
    """Who may be waited for is who gives, and the fields have room for all of them."""
    given_to = {(source, target) for source, targets in signal.items() for target in targets}
    taken_from = {(source, target) for target, sources in wait.items() for source in sources}
    assert given_to == taken_from
    assert max(map(len, wait.values())) <= HEADER["wait"].width
    assert max(map(len, signal.values())) <= HEADER["signal"].width


def test_tokens_of_the_engine_are_the_first() -> None:
    """So a program for the engine means the same on a machine with a vector unit."""
    for stage in ENGINE_STAGES:
        assert WAIT[stage][: len(ENGINE_WAIT[stage])] == ENGINE_WAIT[stage]
        assert SIGNAL[stage][: len(ENGINE_SIGNAL[stage])] == ENGINE_SIGNAL[stage]


def test_every_command_has_a_stage_but_end() -> None:
    assert {each for each in Opcode if each.stage is None} == {Opcode.END}
    assert {each.stage for each in ENGINE_OPCODES} - {None} == set(ENGINE_STAGES)
    assert {each.stage for each in Opcode} - {None} == set(STAGES)


def test_a_stream_is_little_endian() -> None:
    stream = encode_all([End(), LOAD, STORE])
    assert stream.shape == (3, COMMAND_BYTES)
    assert bytes(stream[1]) == LOAD_WORD.to_bytes(COMMAND_BYTES, "little")
    assert stream[1, 0] == Opcode.LOAD and stream[1, 31] == 0
    assert encode_all([]).shape == (0, COMMAND_BYTES)
