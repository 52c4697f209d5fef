"""Command words: what the host asks of the convolution engine, 256 bits each.

A program is a stream of commands in memory, decoded in order and handed to three stages that run
ahead of each other and meet through tokens:

``LOAD``      fetch    words of a tensor from memory into an on-chip memory
``PATTERN``   execute  an entry of the feeder's pattern table
``CONVOLVE``  execute  all passes of a run of tiles
``STORE``     result   where the results of the next tiles go, and in which form
``END``       all      everything before it is finished; the machine stops and interrupts

A *word* is one digit (``spatial_bits`` planes) of a block; addresses and sizes that are read in
memory are multiples of it, addresses that are written multiples of a block. Commands name a
precision *slot*, the ``operand`` they read and the ``partner`` it is multiplied with, never a
width. If either has 0 bits, LOAD, CONVOLVE and STORE retire without traffic and without array
cycles (their tokens still move).

Tokens: ``wait`` names the stages from which a token is taken before the command begins, ``signal``
those to which one is given when it has ended (`WAIT`, `SIGNAL`). A LOAD has ended when its last
word is in the on-chip memory, a CONVOLVE when its last operand has been read, a STORE when memory
has acknowledged its last write. A stage that would give more than `TOKEN_LIMIT` waits. A
program begins without tokens.

Field offsets are the single source for `encode`, `decode` and the gateware's decoder.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Operand

COMMAND_BITS = 256
COMMAND_BYTES = COMMAND_BITS // 8

TOKEN_LIMIT = 255
"""Most tokens that may wait in one direction; a stage that would give one more waits."""

NO_GROUP = 15
"""In a `Load.groups` map: this half-block is not kept."""


class Opcode(enum.IntEnum):
    """First byte of a command. 0 is none, so that cleared memory is refused."""

    LOAD = 1
    CONVOLVE = 2
    STORE = 3
    PATTERN = 4
    END = 5


class Stage(enum.IntEnum):
    """The three stages, in the order of the data."""

    FETCH = 0
    EXECUTE = 1
    RESULT = 2


# bit of ``wait`` (the token comes from) and of ``signal`` (the token goes to), per stage
WAIT: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.FETCH: (Stage.EXECUTE, Stage.RESULT),
    Stage.EXECUTE: (Stage.FETCH, Stage.RESULT),
    Stage.RESULT: (),
}
SIGNAL: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.FETCH: (Stage.EXECUTE,),
    Stage.EXECUTE: (Stage.FETCH,),
    Stage.RESULT: (Stage.FETCH, Stage.EXECUTE),
}


class Memory(enum.IntEnum):
    """Which on-chip memory a LOAD fills."""

    PLANES = 0
    COLUMNS = 1


class Format(enum.IntEnum):
    """How results leave."""

    NONE = 0
    PORT = 1
    RAW32 = 2
    RAW48 = 3
    PLANES = 4


class Variant(enum.IntEnum):
    """What is done to a block of P pixels on the way from the plane memory into the window.

    ``x`` is a pixel's place in its row of the *window* (`Convolve.row_pixels` wide, at most P):

    STRAIGHT     out[i] = in[i]
    RIGHT        out[i] = in[i-1], 0 where x = 0
    LEFT         out[i] = in[i+1], 0 where x is the last
    EVEN         out[i] = in[2i], and again from P/2 on: out[P/2 + i] = in[2i]
    ODD          out[i] = in[2i+1], and again from P/2 on
    ODD_RIGHT    out[i] = in[2i-1], 0 where x = 0; and again from P/2 on
    FROM_LEFT    out[i] = in[P-1]; only the first pixel of each enabled quarter is written
    FROM_RIGHT   out[i] = in[0]; only the last pixel of each enabled quarter is written
    """

    STRAIGHT = 0
    RIGHT = 1
    LEFT = 2
    EVEN = 3
    ODD = 4
    ODD_RIGHT = 5
    FROM_LEFT = 6
    FROM_RIGHT = 7


class RowPixels(enum.IntEnum):
    """Pixels per row of the tile, as a part of the P pixels of a block."""

    QUARTER = 0
    HALF = 1
    WHOLE = 2


class Fault(enum.IntEnum):
    """Why the engine stopped; read from the STATUS register."""

    NONE = 0
    OPCODE = 1
    SLOT = 2
    PRECISION = 3
    COUNT = 4
    ADDRESS = 5
    WINDOW = 6
    ALIGNMENT = 7
    READ_ERROR = 8
    WRITE_ERROR = 9
    TIMEOUT = 10
    PROGRAM = 11

    @property
    def description(self) -> str:
        return _FAULT_TEXT[self]


_FAULT_TEXT = {
    Fault.NONE: "no fault",
    Fault.OPCODE: "unknown opcode",
    Fault.SLOT: "the slot or the operand it names does not exist",
    Fault.PRECISION: "the slot's bits exceed precision.max_bits",
    Fault.COUNT: "a count that must be at least 1 is 0, or an entry, format or group that does not "
    "exist",
    Fault.ADDRESS: "an address beyond an on-chip memory",
    Fault.WINDOW: "an address in memory outside the window",
    Fault.ALIGNMENT: "an address in memory that is no multiple of a word (written: of a block)",
    Fault.READ_ERROR: "memory answered a read with SLVERR or DECERR",
    Fault.WRITE_ERROR: "memory answered a write with SLVERR or DECERR",
    Fault.TIMEOUT: "memory did not answer within WATCHDOG cycles",
    Fault.PROGRAM: "the command stream ended without END",
}


@dataclass(frozen=True)
class Field:
    """``width`` bits at ``offset`` of a command word, unsigned unless said."""

    offset: int
    width: int
    signed: bool = False


def _packed(offset: int, /, **widths: int) -> dict[str, Field]:
    """Fields one after the other from bit ``offset`` on; a negative width is a signed field."""
    result = {}
    for name, width in widths.items():
        result[name] = Field(offset, abs(width), width < 0)
        offset += abs(width)
    if offset > COMMAND_BITS:
        raise AssertionError(f"{offset} bits do not fit into a command")
    return result


HEADER: dict[str, Field] = _packed(
    0, opcode=8, wait=4, signal=4, slot=8, operand=2, partner=2, tag=2
)
"""Of every command. ``tag`` says to which pass its cycles and bytes are counted (`Tag`)."""
_BODY = 30

LOAD_FIELDS: dict[str, Field] = HEADER | _packed(
    _BODY,
    memory=1,
    transposed=1,
    address=32,
    digit_stride=24,
    run_stride=24,
    runs=12,
    words=12,
    destination=16,
    destination_digit_stride=16,
    destination_run_stride=16,
    groups=40,
)
PATTERN_FIELDS: dict[str, Field] = HEADER | _packed(
    _BODY,
    entry=8,
    a_enable=1,
    a_offset=-14,
    a_zero=5,
    a_variants=9,
    a_quarters=36,
    a_rotations=18,
    b_enable=1,
    b_offset=-14,
    b_zero=5,
    b_variants=9,
    b_quarters=36,
    b_rotations=18,
)
CONVOLVE_FIELDS: dict[str, Field] = HEADER | _packed(
    _BODY,
    start=1,
    finish=1,
    reduce=1,
    gradient=1,
    row_signed=1,
    column_signed=1,
    row_pixels=2,
    top_edge=1,
    bottom_edge=1,
    groups=9,
    pattern=8,
    pairs=5,
    address=16,
    digit_stride=12,
    slice_stride=16,
    slices=10,
    tiles_x=6,
    x_stride=4,
    tiles_y=8,
    y_stride=12,
    images=12,
    image_stride=16,
    column_address=16,
    column_slice_stride=16,
)
STORE_FIELDS: dict[str, Field] = HEADER | _packed(
    _BODY,
    format=3,
    add=1,
    keep=1,
    signed=1,
    shift=6,
    bits=5,
    gradient_address=16,
    address=32,
    tile_stride=16,
    digit_stride=24,
    row_pixels=2,
    tiles_x=6,
    tiles_y=8,
    images=12,
    valid_x=8,
    valid_y=8,
)


class Tag(enum.IntEnum):
    """To which pass the cycles and bytes of a command are counted."""

    FORWARD = 0
    ERROR = 1
    GRADIENT = 2
    OTHER = 3


@dataclass(frozen=True)
class Load:
    """Words of a tensor from memory into an on-chip memory.

    For digit ``d`` of ``operand`` at the slot's bits, run ``r`` < ``runs``, word ``i`` < ``words``,
    the word at ``address + word_bytes * (d * digit_stride + r * run_stride + i)`` goes

    PLANES   to word ``destination + d * destination_digit_stride + r * destination_run_stride + i``
             of the plane memory
    COLUMNS  as two half-blocks ``h = 2i, 2i + 1`` into word ``destination +
             d * destination_digit_stride + r * destination_run_stride`` of the column memory: half
             ``h`` to lane group ``groups[h]`` (4 bits each, ``groups >> 4h``), or nowhere if that
             is `NO_GROUP`. The other groups of the word keep what they have. ``words`` <= 5.

    Half ``h`` of a block is its pixels ``h*C .. h*C + C-1`` (C channels, P = 2C pixels). A column
    word has bit ``group*C*C + column*C + lane``; a half-block's bit is ``pixel*C + channel``, so
    stored straight a half-block's *pixel* is the array's column and its channel the lane;
    ``transposed`` swaps the two.

    Planes of the last digit beyond the slot's bits are replaced by zeros.
    """

    slot: int
    operand: Operand
    partner: Operand
    memory: Memory
    address: int
    runs: int
    words: int
    destination: int
    digit_stride: int = 0
    run_stride: int = 0
    destination_digit_stride: int = 0
    destination_run_stride: int = 0
    groups: int = 0
    transposed: bool = False
    tag: Tag = Tag.OTHER
    wait: int = 0
    signal: int = 0


@dataclass(frozen=True)
class Pattern:
    """Entry ``entry`` of the pattern table: two reads of the plane memory, A and B.

    A read takes the word at ``offset`` from the current place, or zeros if one of the conditions
    in ``zero`` holds (`ZERO_TOP` …), and writes it into the quarters of the window's nine slots
    that ``quarters`` enables: bit ``4*slot + quarter``. Slot ``s`` has the block's variant
    ``variants[s % 3]`` (3 bits each), rotated: quarter ``q`` of the slot gets quarter
    ``(q + rotations[slot]) % 4`` (2 bits each) of the variant. Where A and B write the same pixel,
    B wins.
    """

    entry: int
    a_enable: bool = False
    a_offset: int = 0
    a_zero: int = 0
    a_variants: int = 0
    a_quarters: int = 0
    a_rotations: int = 0
    b_enable: bool = False
    b_offset: int = 0
    b_zero: int = 0
    b_variants: int = 0
    b_quarters: int = 0
    b_rotations: int = 0
    slot: int = 0
    operand: Operand = Operand.ACTIVATION
    partner: Operand = Operand.WEIGHT
    tag: Tag = Tag.OTHER
    wait: int = 0
    signal: int = 0


ZERO_TOP, ZERO_BOTTOM, ZERO_LEFT, ZERO_RIGHT, ZERO_ALWAYS = 1, 2, 4, 8, 16
"""Conditions of a read: the tile is the image's first or last row of tiles (and the command has
``top_edge`` or ``bottom_edge``), the first or last in its row of tiles; or in any case."""


@dataclass(frozen=True)
class Convolve:
    """All passes of a run of tiles.

    ::

        for image < images, y < tiles_y, x < tiles_x:                  # the place
            for slice < slices:
                for row digit p, most significant first:
                    window = the reads of pattern entries pattern .. pattern + pairs - 1, from
                        address + image*image_stride + y*y_stride + x*x_stride
                                + slice*slice_stride + p*digit_stride  (+ each read's offset)
                    for column digit q, most significant first:
                        array pass: window x column word
                            column_address + step*column_slice_stride + q

    ``step`` counts slices within the tile. Without ``reduce`` every place is a tile of its own:
    its first pass clears the accumulators, its last sends the tile to the result stage. With it
    all places are summed into one tile. Accumulators are cleared only if ``start``, the tile sent
    only if ``finish``: a sum may go over several commands of one tile each.

    Lane groups whose bit in ``groups`` is 0 multiply zeros. The operand on the rows is
    ``operand``, on the columns ``partner``.

    Without ``gradient`` the window's slot g is lane group g: unit row m, lane g*C + c is pixel m,
    channel c of slot g. With it, for pair j in 0, 1 and pixel block b in 0..3, slot ``3b + j`` for
    b < 3 and ``2 + 3j`` for b = 3 holds block b of pair j: unit row j*C + c, lane b*P + i is pixel
    i, channel c of that slot; lanes 4P .. 9C-1 are zero.
    """

    slot: int
    operand: Operand
    partner: Operand
    row_signed: bool
    column_signed: bool
    pattern: int
    pairs: int
    address: int
    column_address: int
    groups: int = 0x1FF
    slices: int = 1
    tiles_x: int = 1
    tiles_y: int = 1
    images: int = 1
    digit_stride: int = 0
    slice_stride: int = 0
    x_stride: int = 0
    y_stride: int = 0
    image_stride: int = 0
    column_slice_stride: int = 0
    row_pixels: RowPixels = RowPixels.WHOLE
    top_edge: bool = True
    bottom_edge: bool = True
    gradient: bool = False
    start: bool = True
    finish: bool = True
    reduce: bool = False
    tag: Tag = Tag.OTHER
    wait: int = 0
    signal: int = 0


@dataclass(frozen=True)
class Store:
    """What happens to the next ``images * tiles_y * tiles_x`` tiles, in that order.

    Results leave the array in beats (`hw.mac.array.results_layout`), ``beats_per_tile`` per tile.
    For beat ``b`` of tile ``t``, with ``g = gradient_address + t * beats_per_tile + b``::

        sum = beat + (gradient_memory[g] if add else 0)
        if keep: gradient_memory[g] = sum

    and then, by ``format``,

    NONE     nothing
    PORT     the sums leave at the result port
    RAW32    the low 32 bits of each sum, in the beat's order, at ``address + word_bytes *
             t * tile_stride``, beat after beat
    RAW48    all 48 bits of each, likewise
    PLANES   each sum narrowed to ``bits`` (1..16), and the tile stored as planes, most significant
             first: plane ``p`` of pixel m, channel n at the word ``t * tile_stride +
             (p // S) * digit_stride``, plane p % S of it, bit ``m*C + n``; the planes that fill
             up the last digit are zero

    Narrowing: ``floor((sum + 2**(shift-1)) / 2**shift)`` (``sum`` for shift 0), then saturated to
    ``-2**(bits-1) .. 2**(bits-1)-1`` if ``signed``, else to ``0 .. 2**bits - 1``. Pixels outside
    the image are stored as zeros: with rows of ``row_pixels`` = W, pixel m is at x = m % W, y =
    m // W; x >= valid_x is outside in the last tile of a row of tiles, y >= valid_y in the last
    row of tiles of an image.
    """

    slot: int
    operand: Operand
    partner: Operand
    format: Format
    address: int = 0
    tile_stride: int = 0
    digit_stride: int = 0
    tiles_x: int = 1
    tiles_y: int = 1
    images: int = 1
    add: bool = False
    keep: bool = False
    gradient_address: int = 0
    signed: bool = False
    shift: int = 0
    bits: int = 0
    row_pixels: RowPixels = RowPixels.WHOLE
    valid_x: int = 255
    valid_y: int = 255
    tag: Tag = Tag.OTHER
    wait: int = 0
    signal: int = 0


@dataclass(frozen=True)
class End:
    """The program is over once everything before has finished."""

    slot: int = 0
    operand: Operand = Operand.ACTIVATION
    partner: Operand = Operand.WEIGHT
    tag: Tag = Tag.OTHER
    wait: int = 0
    signal: int = 0


Command = Load | Pattern | Convolve | Store | End

FIELDS: Mapping[Opcode, Mapping[str, Field]] = {
    Opcode.LOAD: LOAD_FIELDS,
    Opcode.CONVOLVE: CONVOLVE_FIELDS,
    Opcode.STORE: STORE_FIELDS,
    Opcode.PATTERN: PATTERN_FIELDS,
    Opcode.END: HEADER,
}
_KINDS: Mapping[Opcode, type[Command]] = {
    Opcode.LOAD: Load,
    Opcode.CONVOLVE: Convolve,
    Opcode.STORE: Store,
    Opcode.PATTERN: Pattern,
    Opcode.END: End,
}
_OPCODES = {kind: opcode for opcode, kind in _KINDS.items()}
_TYPES: Mapping[str, Any] = {
    "operand": Operand,
    "partner": Operand,
    "memory": Memory,
    "format": Format,
    "row_pixels": RowPixels,
    "tag": Tag,
}


def encode(command: Command) -> int:
    """The 256-bit word of ``command``; `ParameterError` for a field that does not fit."""
    opcode = _OPCODES[type(command)]
    layout = FIELDS[opcode]
    word = int(opcode)
    for each in fields(command):
        value, place = int(getattr(command, each.name)), layout[each.name]
        half = 1 << (place.width - 1)
        low, high = (-half, half - 1) if place.signed else (0, 2 * half - 1)
        if not low <= value <= high:
            raise ParameterError(f"{type(command).__name__}.{each.name}", value, f"{low}..{high}")
        word |= (value & (2 * half - 1)) << place.offset
    return word


def decode(word: int) -> Command:
    """Inverse of `encode`; `ParameterError` for an unknown opcode."""
    opcode = word & 0xFF
    if opcode not in FIELDS:
        raise ParameterError("opcode", opcode, ", ".join(f"{o.value} ({o.name})" for o in Opcode))
    kind, layout = _KINDS[Opcode(opcode)], FIELDS[Opcode(opcode)]
    values: dict[str, Any] = {}
    for each in fields(kind):
        place = layout[each.name]
        raw = (word >> place.offset) & ((1 << place.width) - 1)
        if place.signed and raw >> (place.width - 1):
            raw -= 1 << place.width
        convert = _TYPES.get(each.name, bool if each.type == "bool" else int)
        values[each.name] = convert(raw)
    return kind(**values)


def encode_all(commands: list[Command]) -> NDArray[np.uint8]:
    """The words of a command stream, ``[n, 32]`` bytes, least significant first."""
    data = b"".join(encode(command).to_bytes(COMMAND_BYTES, "little") for command in commands)
    return np.frombuffer(data, np.uint8).reshape(-1, COMMAND_BYTES)
