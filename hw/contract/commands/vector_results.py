"""Commands of the result stage for a vector unit: NARROW and JOIN.

As in `commands`, docstrings are normative.
"""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.hw.contract.commands.enums import Earlier, RowPixels
from fractrain.hw.contract.commands.vector_loads import Headed


@dataclass(frozen=True, kw_only=True)
class Narrow(Headed):
    """The next ``images * tiles_y * tiles_x`` tiles become y, in the staging memory.

        y = sat16(round(sums * 2^-s))            s: ``narrow_shift`` of the scale record

    Sums count modulo 2^37, which loses nothing of what one CONVOLVE makes of errors and weights.
    Pixel m, channel c of tile t is in line ``address + t * C + c``. Pixels outside the image
    (STORE) are 0. The moments of channel c, at ``moments + c``, get Σy and Σy² added, and are
    cleared before the first tile if ``start``; peak ``peak`` becomes the greatest |sums| inside the
    image if that is more.
    """

    address: int = 0
    scale: int = 0
    moments: int = 0
    start: bool = True
    peak: int = 0
    row_pixels: RowPixels = RowPixels.WHOLE
    tiles_x: int = 1
    tiles_y: int = 1
    images: int = 1
    valid_x: int = 255
    valid_y: int = 255


@dataclass(frozen=True, kw_only=True)
class Join(Headed):
    """The next ``images * tiles_y * tiles_x`` tiles become errors E, in the staging memory.

        part = sat24(round(sums' * mantissa * 2^-shift))      sums' = round(sums * 2^-before)
        total = mask * (part + earlier)
        E = sat16(total)

    Sums count as in a NARROW. sums' is cut to 25 bits, which loses nothing if ``before`` is chosen
    so; more than 12 counts as 12. A mantissa has its top bit set, or the shift is -7 or more.
    ``before``, ``mantissa``, ``shift`` and ``stream_shift`` are those of the scale record.
    ``earlier`` is nothing; STREAM:
    ``sat24(round(E' * 2^-stream_shift))`` of the E' at ``earlier_address``; PART: the part that an
    earlier JOIN has left there. Either is in other lines than those that are written; a stream may
    be in the same. Without ``masked``, or if ``mask_slot`` has 0 activation bits, the mask is 1.

    Pixel m, channel c of tile t is in line ``address + b * C + c`` with b = t. The stream is there
    counted from ``earlier_address``, mask and x̂ from ``side_address``. With ``interleaved`` they
    are elsewhere: tile pixel (y, x) of image i is pixel (2 y + odd_row, 2 x + odd_column) of an
    image whose rows are twice as wide as those of its tiles; that of row Y and column X of rows of
    W pixels is pixel ``(Y W + X) % P`` of block ``b = i * image_blocks + (Y W + X) div P``. Pixels
    of a line that are not of a tile, or outside the image, stay as they are.

    With ``part`` nothing but the part is left: its low 16 bits in line ``address + 2 (t * C + c)``,
    the rest, signed, in the line behind. PART reads them there, counted from ``earlier_address``.
    Both addresses are even then, else it is ADDRESS.

    The moments of channel c, at ``moments + c``, get ΣE and ΣE·x̂ added if ``totals``, and are
    cleared before if ``start``, too; peak ``peak`` becomes the greatest |total| if that is more.
    Pixels outside the image (STORE) are 0 and count nowhere.

    With ``skipped`` the command is carried out, and takes its tiles, only if operand or partner
    have 0 bits: of a convolution of another slot.
    """

    skipped: bool = False
    address: int = 0
    scale: int = 0
    part: bool = False
    earlier: Earlier = Earlier.NONE
    earlier_address: int = 0
    masked: bool = False
    mask_slot: int = 0
    side_address: int = 0
    totals: bool = False
    start: bool = True
    moments: int = 0
    peak: int = 0
    interleaved: bool = False
    odd_row: bool = False
    odd_column: bool = False
    image_blocks: int = 0
    row_pixels: RowPixels = RowPixels.WHOLE
    tiles_x: int = 1
    tiles_y: int = 1
    images: int = 1
    valid_x: int = 255
    valid_y: int = 255
