"""Where the fields of a command are in its word: the one source of every width.

`encode` and `decode`, the gateware's decoder and layouts, and docs/commands.md are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping

from fractrain.hw.contract.commands.enums import Opcode, Variant, Zero
from fractrain.hw.contract.commands.field import (
    GROUP_BITS,
    HALF_BLOCKS,
    NO_GROUP,
    Field,
    packed,
)
from fractrain.hw.contract.commands.vector_fields import VECTOR_FIELDS
from fractrain.hw.contract.window import QUARTERS, SLOT_COLUMNS, SLOTS

COMMAND_BITS = 256
COMMAND_BYTES = COMMAND_BITS // 8

VARIANT_BITS = max(Variant).bit_length()
ROTATION_BITS = (QUARTERS - 1).bit_length()


def _read(prefix: str) -> dict[str, Field]:
    """Fields of one of the two reads of a PATTERN."""
    read = {
        "enable": Field(1, "the read is made"),
        "offset": Field(14, "words from the current place", signed=True),
        "zero": Field(max(Zero).bit_length(), "conditions under which it yields zeros, see Zero"),
        "variants": Field(
            SLOT_COLUMNS * VARIANT_BITS,
            f"of the slots s % {SLOT_COLUMNS}, {VARIANT_BITS} bits each",
        ),
        "quarters": Field(SLOTS * QUARTERS, f"written ones: bit {QUARTERS} * slot + quarter"),
        "rotations": Field(SLOTS * ROTATION_BITS, f"of each slot, {ROTATION_BITS} bits each"),
    }
    return {f"{prefix}_{name}": field for name, field in read.items()}


HEADER: Mapping[str, Field] = packed(
    0,
    {
        "opcode": Field(8, "which command"),
        "wait": Field(4, "tokens that it takes before it begins, a bit for each stage"),
        "signal": Field(4, "tokens that it gives when it has ended, a bit for each stage"),
        "slot": Field(8, "slot of the precision table"),
        "operand": Field(2, "the operand it reads; of CONVOLVE, the one on the rows"),
        "partner": Field(2, "the operand that one is multiplied with; it is on the columns"),
        "tag": Field(2, "to which its cycles and bytes are counted"),
    },
    COMMAND_BITS,
)
"""Of every command."""

_LOAD = {
    "memory": Field(1, "on-chip memory that is filled"),
    "transposed": Field(1, "COLUMNS: the pixels of a half-block become lanes"),
    "address": Field(32, "first byte in memory"),
    "digit_stride": Field(24, "words from a digit to the next"),
    "run_stride": Field(24, "words from a run to the next"),
    "runs": Field(12, "runs of a digit", count=True),
    "words": Field(12, f"words of a run; COLUMNS: at most {HALF_BLOCKS // 2}", count=True),
    "destination": Field(16, "first word on chip"),
    "destination_digit_stride": Field(16, "words on chip from a digit to the next"),
    "destination_run_stride": Field(16, "words on chip from a run to the next"),
    "groups": Field(
        HALF_BLOCKS * GROUP_BITS,
        f"COLUMNS: lane group of each half-block, {GROUP_BITS} bits each; {NO_GROUP}: nowhere",
    ),
}
_PATTERN = {"entry": Field(8, "entry of the pattern table"), **_read("a"), **_read("b")}
_CONVOLVE = {
    "start": Field(1, "clear the accumulators before the first tile"),
    "finish": Field(1, "send the last tile"),
    "reduce": Field(1, "all places are one sum"),
    "gradient": Field(1, "arrange the window for the gradient"),
    "row_signed": Field(1, "the operand on the rows is signed"),
    "column_signed": Field(1, "the operand on the columns is signed"),
    "row_pixels": Field(2, "pixels of a row of the window"),
    "top_edge": Field(1, "the first row of tiles is the top of the image"),
    "bottom_edge": Field(1, "the last row of tiles is the bottom of the image"),
    "groups": Field(SLOTS, "lane groups that are not multiplied by zero, a bit each"),
    "pattern": Field(8, "first entry of the pattern"),
    "pairs": Field(5, "entries of the pattern, two reads each", count=True),
    "address": Field(16, "plane memory: first word"),
    "digit_stride": Field(12, "plane memory: words from a digit to the next"),
    "slice_stride": Field(16, "plane memory: words from a slice to the next"),
    "slices": Field(10, "slices of a sum", count=True),
    "tiles_x": Field(6, "tiles of a row", count=True),
    "x_stride": Field(4, "plane memory: words from a tile to the next"),
    "tiles_y": Field(8, "rows of tiles of an image", count=True),
    "y_stride": Field(12, "plane memory: words from a row of tiles to the next"),
    "images": Field(12, "images", count=True),
    "image_stride": Field(16, "plane memory: words from an image to the next"),
    "column_address": Field(16, "column memory: first word"),
    "column_slice_stride": Field(16, "column memory: words from a slice to the next"),
}
_STORE = {
    "format": Field(3, "how results leave"),
    "add": Field(1, "add the gradient memory to the sums"),
    "keep": Field(1, "write the sums to the gradient memory"),
    "signed": Field(1, "PLANES: results are signed"),
    "shift": Field(6, "PLANES: bits that narrowing shifts off"),
    "bits": Field(5, "PLANES: 1 to 16"),
    "gradient_address": Field(16, "gradient memory: first beat"),
    "address": Field(32, "first byte in memory"),
    "tile_stride": Field(16, "words from a tile to the next"),
    "digit_stride": Field(24, "PLANES: words from a digit to the next"),
    "row_pixels": Field(2, "PLANES: pixels of a row of the tile"),
    "tiles_x": Field(6, "tiles of a row", count=True),
    "tiles_y": Field(8, "rows of tiles of an image", count=True),
    "images": Field(12, "images", count=True),
    "valid_x": Field(8, "PLANES: pixels inside the image in the last tile of a row"),
    "valid_y": Field(8, "PLANES: rows inside the image in the last row of tiles"),
}

_BODY = HEADER["tag"].offset + HEADER["tag"].width
FIELDS: Mapping[Opcode, Mapping[str, Field]] = {
    opcode: {**HEADER, **packed(_BODY, fields, COMMAND_BITS)}
    for opcode, fields in (
        (Opcode.LOAD, _LOAD),
        (Opcode.PATTERN, _PATTERN),
        (Opcode.CONVOLVE, _CONVOLVE),
        (Opcode.STORE, _STORE),
        (Opcode.END, {}),
        *VECTOR_FIELDS.items(),
    )
}
"""All fields of each command, by name."""
