"""Which reads of the plane memory fill a window: geometry turned into pattern entries.

A *tap* puts into a slot, for every pixel of an output block, the input pixel at ``stride·y + dy,
stride·x + dx``. The pieces of it that come from one input block are a `Piece`; pieces of the
same word are merged into one read as far as slots and variants allow, and reads are paired so that
the two of a pair are in different banks where possible.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fractrain.hw.contract.commands import Pattern, RowPixels, Variant

ALL_QUARTERS = 0b1111
STRAIGHT_VARIANTS = {-1: Variant.RIGHT, 0: Variant.STRAIGHT, 1: Variant.LEFT}
STRIDED_VARIANTS = {-1: Variant.ODD_RIGHT, 0: Variant.EVEN, 1: Variant.ODD}


@dataclass(frozen=True)
class Tap:
    """Slot ``slot`` takes the pixels at (dy, dx) of channel group ``group`` of the slice."""

    dy: int
    dx: int
    slot: int
    group: int = 0


@dataclass(frozen=True)
class Grid:
    """Input and output blocks: rows of ``width`` and ``width // stride`` pixels, P to a block."""

    pixels: int
    width: int
    stride: int

    @property
    def output_width(self) -> int:
        return self.width // self.stride

    @property
    def input_rows(self) -> int:
        """Rows of an input block."""
        return max(1, self.pixels // self.width)

    @property
    def output_rows(self) -> int:
        return max(1, self.pixels // self.output_width)

    @property
    def row_step(self) -> int:
        """Input blocks from one output block to the one below, in rows of blocks."""
        return self.stride * self.output_rows // self.input_rows

    @property
    def column_step(self) -> int:
        """Input blocks from one output block to the one at its right."""
        return self.stride if self.output_width >= self.pixels else 1

    @property
    def input_columns(self) -> int:
        """Input blocks beside each other."""
        return max(1, self.width // self.pixels)

    @property
    def output_columns(self) -> int:
        return max(1, self.output_width // self.pixels)

    @property
    def row_pixels(self) -> RowPixels:
        """Of the window."""
        parts = {self.pixels // 4: RowPixels.QUARTER, self.pixels // 2: RowPixels.HALF}
        return parts.get(self.output_width, RowPixels.WHOLE)


@dataclass(frozen=True)
class Piece:
    """What one input block at (row, column), counted from the place, gives to a slot.

    A ``late`` piece is written over what others have written.
    """

    row: int
    column: int
    variant: Variant
    rotation: int
    quarters: int
    late: bool = False


@functools.lru_cache(4096)
def pieces(grid: Grid, dy: int, dx: int, row: int = 0, column: int = 0) -> tuple[Piece, ...]:
    """Of a tap, for the output block at (row, column) of the place."""
    found: dict[tuple[int, int, int], int] = {}
    for line in range(grid.output_rows):
        source = grid.stride * line + dy
        block, inner = divmod(source, grid.input_rows)
        for side, quarters in _parts(grid, line):
            key = (
                row * grid.row_step + block,
                column * grid.column_step + side,
                _rotation(grid, line, inner),
            )
            found[key] = found.get(key, 0) | quarters
    variants = STRAIGHT_VARIANTS if grid.stride == 1 else STRIDED_VARIANTS
    result = [
        Piece(block, side, variants[dx], rotation, quarters)
        for (block, side, rotation), quarters in found.items()
    ]
    rows = {each.row for each in result}
    return (*result, *(late for each in rows for late in _seams(grid, dx, each, column)))


def _parts(grid: Grid, line: int) -> list[tuple[int, int]]:
    """(input block beside the first, quarters) that make row ``line`` of an output block."""
    if grid.output_rows > 1:
        count = 4 // grid.output_rows
        return [(0, ((1 << count) - 1) << (line * count))]
    return [(0, ALL_QUARTERS)] if grid.stride == 1 else [(0, 0b0011), (1, 0b1100)]


def _rotation(grid: Grid, line: int, inner: int) -> int:
    """So that row ``inner`` of the input's variant comes to row ``line``."""
    if grid.stride == 1:
        return (inner - line) * (4 // grid.output_rows) % 4
    # variants of stride 2 hold their rows twice over
    return (inner - line) % 2 if grid.input_rows > 1 else 0


def _seams(grid: Grid, dx: int, row: int, column: int) -> Iterator[Piece]:
    """First and last pixels, which come from the block beside."""
    if grid.stride == 1:
        if grid.input_columns > 1 and dx < 0:
            yield Piece(row, column - 1, Variant.FROM_LEFT, 0, 0b0001, late=True)
        if grid.input_columns > 1 and dx > 0:
            yield Piece(row, column + 1, Variant.FROM_RIGHT, 0, 0b1000, late=True)
    elif grid.output_rows == 1 and dx < 0:
        left = column * grid.column_step
        yield Piece(row, left - 1, Variant.FROM_LEFT, 0, 0b0001, late=True)
        yield Piece(row, left, Variant.FROM_LEFT, 0, 0b0100, late=True)


@dataclass
class WindowRead:
    """One read of the plane memory under construction."""

    offset: int
    zero: int
    late: bool
    variants: dict[int, Variant] = field(default_factory=dict)
    quarters: dict[int, int] = field(default_factory=dict)
    rotations: dict[int, int] = field(default_factory=dict)

    def takes(self, slot: int, piece: Piece) -> bool:
        """Add ``piece`` for ``slot`` if that is possible."""
        column = slot % 3
        if self.variants.get(column, piece.variant) is not piece.variant:
            return False
        if slot in self.rotations and self.rotations[slot] != piece.rotation:
            return False
        self.variants[column] = piece.variant
        self.rotations[slot] = piece.rotation
        self.quarters[slot] = self.quarters.get(slot, 0) | piece.quarters
        return True

    def fields(self) -> tuple[int, int, int]:
        """``variants``, ``quarters`` and ``rotations`` of a pattern entry."""
        return (
            sum(variant << (3 * column) for column, variant in self.variants.items()),
            sum(mask << (4 * slot) for slot, mask in self.quarters.items()),
            sum(rotation << (2 * slot) for slot, rotation in self.rotations.items()),
        )


def merge(located: Iterable[tuple[int, int, int, Piece]]) -> list[WindowRead]:
    """Reads of all (offset, zero conditions, slot, piece)."""
    reads: list[WindowRead] = []
    for offset, zero, slot, piece in located:
        for read in reads:
            same = (read.offset, read.zero, read.late) == (offset, zero, piece.late)
            if same and read.takes(slot, piece):
                break
        else:
            reads.append(WindowRead(offset, zero, piece.late))
            reads[-1].takes(slot, piece)
    return reads


def pair(reads: list[WindowRead]) -> tuple[Pattern, ...]:
    """Pattern entries (numbered from 0) of ``reads``: late ones last, pairs in both banks."""
    waiting = sorted(reads, key=lambda read: read.late)
    entries: list[Pattern] = []
    while waiting:
        first = waiting.pop(0)
        second = next(
            (
                each
                for each in waiting
                if (each.offset ^ first.offset) & 1 and _ready(each, waiting)
            ),
            None,
        )
        if second is None and len({read.offset & 1 for read in waiting}) < 2:
            second = next((each for each in waiting if _ready(each, waiting)), None)
        if second is not None:
            waiting.remove(second)
        entries.append(_entry(len(entries), first, second))
    return tuple(entries)


def _ready(read: WindowRead, waiting: list[WindowRead]) -> bool:
    """Nothing that ``read`` must be written over is still waiting."""
    return not read.late or all(
        each.late or not set(each.quarters) & set(read.quarters) for each in waiting
    )


def _entry(number: int, first: WindowRead, second: WindowRead | None) -> Pattern:
    variants, quarters, rotations = first.fields()
    entry = Pattern(
        number,
        a_enable=True,
        a_offset=first.offset,
        a_zero=first.zero,
        a_variants=variants,
        a_quarters=quarters,
        a_rotations=rotations,
    )
    if second is None:
        return entry
    variants, quarters, rotations = second.fields()
    return Pattern(
        **{name: getattr(entry, name) for name in _A_FIELDS},
        b_enable=True,
        b_offset=second.offset,
        b_zero=second.zero,
        b_variants=variants,
        b_quarters=quarters,
        b_rotations=rotations,
    )


_A_FIELDS = (
    "entry",
    "a_enable",
    "a_offset",
    "a_zero",
    "a_variants",
    "a_quarters",
    "a_rotations",
)
