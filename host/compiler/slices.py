"""How gradients fill the array: pairs of taps on its rows, slices of four blocks on its lanes."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.host.compiler.canonical import PARITIES
from fractrain.host.compiler.planning import Chunk
from fractrain.hw.contract.commands import GROUP_BITS, HALF_BLOCKS, NO_GROUP
from fractrain.hw.contract.window import GRADIENT_BLOCKS

BLOCKS = GRADIENT_BLOCKS
"""Blocks of pixels in a slice."""


@dataclass(frozen=True)
class Entry:
    """One half of the array's rows: tap (ky, kx) of group ``group`` of the input channels."""

    group: int
    ky: int
    kx: int

    def source(self, kernel: tuple[int, int], *, phased: bool) -> tuple[int, int, int]:
        """(group of the stored tensor, dy, dx) of the pixels that it reads."""
        dy, dx = self.ky - kernel[0] // 2, self.kx - kernel[1] // 2
        if not phased:
            return self.group, dy, dx
        parity = 2 * (dy % 2) + dx % 2
        return PARITIES * self.group + parity, min(dy, 0), min(dx, 0)


Pair = tuple[Entry, Entry | None]


def pairs_of(groups: range, kernel: tuple[int, int], stride: int) -> list[Pair]:
    """The pairs of halves that share a tile: halves that read the same blocks, where possible.

    At stride 1 the rows of taps ky and ky + 1 are mostly the same, at stride 2 those of 0 and 2.
    The remaining tap shares a tile with the remaining tap of the next group.
    """
    upper, lower, alone = (0, 1, 2) if stride == 1 else (0, 2, 1)
    if kernel[0] == 1:
        alone = 0
    result: list[Pair] = []
    for group in groups[::2]:
        both = [each for each in (group, group + 1) if each in groups]
        for each in both:
            if kernel[0] == 3:
                result += [(Entry(each, upper, kx), Entry(each, lower, kx)) for kx in range(3)]
            if kernel[1] == 3:
                result.append((Entry(each, alone, 0), Entry(each, alone, 1)))
        halves = [Entry(each, alone, kernel[1] - 1) for each in both]
        result.append((halves[0], halves[1] if len(halves) > 1 else None))
    return result


def pair_count(groups: int, kernel: tuple[int, int]) -> int:
    """The number of `pairs_of` ``groups`` groups, at any stride."""
    whole = 3 * (kernel[0] == 3) + (kernel[1] == 3)
    return groups * whole + -(-groups // 2)


@dataclass(frozen=True)
class Rectangle:
    """A run of slices of ``images`` x ``height`` x ``width`` blocks each, of one shape.

    From block (row, column) of ``image`` on: ``slots`` groups of images, ``down`` slices below
    each other, ``beside`` beside each other.
    """

    image: int
    slots: int
    images: int
    row: int
    down: int
    height: int
    column: int
    beside: int
    width: int

    @property
    def slices(self) -> int:
        return self.slots * self.down * self.beside

    @property
    def blocks(self) -> int:
        """Blocks in a slice."""
        return self.images * self.height * self.width


def rectangles(chunk: Chunk, columns: int) -> list[Rectangle]:
    """Slices that cover the blocks of ``chunk``; its rows have ``columns`` blocks."""
    n, first, rows = chunk.images, chunk.row, chunk.rows
    if columns > BLOCKS:
        beside, rest = divmod(columns, BLOCKS)
        found = [Rectangle(0, n, 1, first, rows, 1, 0, beside, BLOCKS)]
        if rest:
            found.append(Rectangle(0, n, 1, first, rows, 1, beside * BLOCKS, 1, rest))
        return found
    height = BLOCKS // columns
    down, rest = divmod(rows, height)
    found = [Rectangle(0, n, 1, first, down, height, 0, 1, columns)] if down else []
    if rest:
        below = first + down * height
        together = min(n, BLOCKS // (rest * columns))
        slots, single = divmod(n, together)
        found.append(Rectangle(0, slots, together, below, 1, rest, 0, 1, columns))
        if single:
            found.append(Rectangle(n - single, 1, single, below, 1, rest, 0, 1, columns))
    return found


Loop = tuple[int, int, int]


def collapse(loops: list[Loop]) -> list[Loop]:
    """Nested loops with those joined that step evenly through both memories."""
    result = [loops[0]]
    for loop in loops[1:]:
        count, blocks, slices = result[-1]
        if count == 1:
            result[-1] = loop
        elif loop[0] == 1:
            continue
        elif loop[1:] == (count * blocks, count * slices):
            result[-1] = (count * loop[0], blocks, slices)
        else:
            result.append(loop)
    return result


def lane_groups(first: int, count: int) -> int:
    """``groups`` of a LOAD of half-blocks to lane groups from ``first`` on."""
    groups = (first + half if half < count else NO_GROUP for half in range(HALF_BLOCKS))
    return sum(group << GROUP_BITS * half for half, group in enumerate(groups))
