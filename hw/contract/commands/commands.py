"""The commands, as the host writes them. Their docstrings are normative: they say what each does.

The emulator, the gateware and the cycle model are written from them, not from each other;
docs/commands.md is made of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.hw.contract.commands.enums import Format, Memory, RowPixels, Tag
from fractrain.hw.contract.commands.field import GROUP_BITS
from fractrain.hw.contract.commands.vector_loads import Headed
from fractrain.hw.contract.precision import Operand


@dataclass(frozen=True)
class Load:
    """Words of a tensor from memory into an on-chip memory.

    For digit d of ``operand`` at the slot's bits, run r < ``runs`` and word i < ``words``, it reads
    the word at

        address + word_bytes * (d * digit_stride + r * run_stride + i)

    - PLANES: it goes to word ``destination + d * destination_digit_stride + r *
      destination_run_stride + i`` of the plane memory.
    - COLUMNS: it is two half-blocks, h = 2 i and 2 i + 1, of word ``destination + d *
      destination_digit_stride + r * destination_run_stride`` of the column memory. Half h goes to
      lane group ``groups[h]``, or nowhere if that is 15, wherever the word would be; lane groups
      that get none keep what they have.

    Half h of a block is its pixels h C .. h C + C - 1 (of P = 2 C). A column word has bit
    ``group * C * C + column * C + lane``, a half-block bit ``pixel * C + channel``: straight, a
    half-block's *pixel* becomes the array's column and its channel the lane; ``transposed`` swaps
    the two.

    Planes of the last digit that the slot does not have are replaced by zeros.
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

    def group(self, half: int) -> int:
        """Lane group of half-block ``half``, or `NO_GROUP`."""
        return self.groups >> GROUP_BITS * half & (1 << GROUP_BITS) - 1


@dataclass(frozen=True)
class Pattern:
    """An entry of the pattern table: two reads of the plane memory, A and B.

    A read takes the word at ``offset`` from the current place, or zeros under one of the conditions
    in ``zero``, and writes it into the quarters of the window's nine slots that ``quarters``
    enables. Slot s gets the block's variant ``variants[s % 3]``, rotated: quarter q of the slot
    gets quarter ``(q + rotations[s]) % 4`` of the variant. Where A and B write the same pixel, B
    wins.

    Conditions of ``zero``, a bit each (`Zero`): TOP, the tile is in the first row of tiles and the
    command has ``top_edge``; BOTTOM, in the last row and ``bottom_edge``; LEFT, the first of its
    row; RIGHT, the last; ALWAYS.
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


@dataclass(frozen=True)
class Convolve:
    """All passes of a run of tiles.

        for image < images, y < tiles_y, x < tiles_x:              # the place
            for slice < slices:
                for row digit p, most significant first:
                    window = the reads of pattern entries pattern .. pattern + pairs - 1, from
                        address + image*image_stride + y*y_stride + x*x_stride
                                + slice*slice_stride + p*digit_stride  (+ each read's offset)
                    for column digit q, most significant first:
                        array pass: window x column word
                            column_address + step*column_slice_stride + q

    Column addresses count modulo 2^16. ``step`` counts slices within the tile. Without ``reduce``
    every place is a tile of its own: its first pass clears the accumulators, its last sends the
    tile to the result stage. With it all places are summed into one tile. Accumulators are cleared
    only if ``start``, the tile is sent only if ``finish``: a sum may go over several commands of
    one tile each.

    Lane groups with a 0 bit in ``groups`` multiply zeros. The operand on the rows is ``operand``,
    on the columns ``partner``.

    Without ``gradient`` the window's slot g is lane group g: unit row m, lane g C + c is pixel m,
    channel c of slot g. With it, for pair j in 0, 1 and pixel block b in 0..3, slot 3 b + j for
    b < 3 and 2 + 3 j for b = 3 holds block b of pair j: unit row j C + c, lane b P + i is pixel i,
    channel c of that slot; lanes 4 P .. 9 C - 1 are zero.
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

    Results leave the array in beats, ``beats_per_tile`` to a tile: beat b has, at ``row * clusters
    + cluster``, the sum of column ``cluster * cluster_columns + b``. For beat b of tile t

        g = gradient_address + t * beats_per_tile + b
        sum = beat + (gradient_memory[g] if add else 0)
        if keep: gradient_memory[g] = sum

    modulo 2^48, and then by ``format``. NONE: nothing. PORT: the sums leave at the result port.

    - RAW32, RAW48: the low 32 bits of each sum, or all 48, in the beat's order, beat after beat,
      from ``address + word_bytes * t * tile_stride`` on.
    - PLANES: each sum is narrowed to ``bits``, and the tile stored as planes, most significant
      first: plane p of pixel m, channel n is in the word ``t * tile_stride + p // S *
      digit_stride``, in plane p % S of it, bit m C + n. The planes that fill up the last digit are
      zero.

    Narrowing is

        floor((sum + 2^(shift-1)) / 2^shift)        sum itself for shift 0

    saturated to -2^(bits-1) .. 2^(bits-1) - 1 if ``signed``, else to 0 .. 2^bits - 1. Pixels
    outside the image are stored as zeros: with rows of ``row_pixels`` = W, pixel m is at
    x = m % W, y = m // W; x >= ``valid_x`` is outside in the last tile of a row of tiles,
    y >= ``valid_y`` in the last row of tiles of an image.
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
    """The program is over once everything before it has finished."""

    slot: int = 0
    operand: Operand = Operand.ACTIVATION
    partner: Operand = Operand.WEIGHT
    tag: Tag = Tag.OTHER
    wait: int = 0
    signal: int = 0


Command = Load | Pattern | Convolve | Store | End | Headed
"""All with a header; `Headed` are those of a machine with a vector unit."""
