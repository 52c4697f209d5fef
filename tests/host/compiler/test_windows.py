"""Pattern entries, carried out on the blocks of an image: every slot has its tap's pixels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fractrain.host.compiler.windows import Grid, Piece, Tap, merge, pair, pieces
from fractrain.host.compiler.work import Edges
from fractrain.hw.contract.commands import Pattern, Variant
from fractrain.sim.functional import window

PIXELS = 16
WIDTHS = {1: (4, 8, 16, 32, 48), 2: (8, 16, 32, 64)}
"""Rows of a quarter, half or whole block, and of several."""

GRIDS = [Grid(PIXELS, width, stride) for stride, widths in WIDTHS.items() for width in widths]
UNWRITTEN = -1


def blocks_of(image: NDArray[np.int64], grid: Grid) -> NDArray[np.int64]:
    """``[block, pixel]``, block rows below each other."""
    rows = -(-len(image) // grid.input_rows)
    full = np.zeros((rows * grid.input_rows, grid.width), np.int64)
    full[: len(image)] = image
    split = full.reshape(rows, grid.input_rows, grid.input_columns, -1)
    return split.transpose(0, 2, 1, 3).reshape(rows * grid.input_columns, PIXELS)


def entries_for(
    grid: Grid, taps: list[Tap], block_rows: int, tiles: tuple[int, int]
) -> tuple[Pattern, ...]:
    """As a convolution of ``tiles`` rows and columns of tiles makes them."""
    edges = Edges(
        grid, block_rows, (tiles[0] - 1) * grid.row_step, (tiles[1] - 1) * grid.column_step
    )
    return pair(
        merge(
            (
                tap.group * 1000 + piece.row * grid.input_columns + piece.column,
                edges.zero(piece),
                tap.slot,
                piece,
            )
            for tap in taps
            for piece in pieces(grid, tap.dy, tap.dx)
        )
    )


def fill_window(
    entries: tuple[Pattern, ...],
    blocks: NDArray[np.int64],
    grid: Grid,
    place: tuple[int, int],
    tiles: tuple[int, int],
) -> NDArray[np.int64]:
    """``[slot, pixel]`` of the tile at ``place``."""
    slots = np.full((1, window.SLOTS, PIXELS, 1), UNWRITTEN, np.int64)
    address = place[0] * grid.row_step * grid.input_columns + place[1] * grid.column_step
    flags = [
        np.array([flag])
        for flag in (
            place[0] == 0,
            place[0] == tiles[0] - 1,
            place[1] == 0,
            place[1] == tiles[1] - 1,
        )
    ]
    for entry in entries:
        for read in window.reads(entry, PIXELS, min(PIXELS, grid.output_width)):
            block = np.zeros((1, PIXELS, 1), np.int64)
            if not read.is_zero(*flags)[0]:
                block[0, :, 0] = blocks[address + read.offset]
            window.apply(read, block, slots)
    return slots[0, :, :, 0]


def wanted_pixels(
    image: NDArray[np.int64], grid: Grid, tap: Tap, place: tuple[int, int]
) -> NDArray[np.int64]:
    """``image[stride·y + dy, stride·x + dx]`` of every pixel of the tile, 0 outside."""
    padded = np.pad(image, 4 + 2 * PIXELS)
    width = min(PIXELS, grid.output_width)
    y = place[0] * grid.output_rows + np.arange(PIXELS) // width
    x = place[1] * width + np.arange(PIXELS) % width
    around = 4 + 2 * PIXELS
    return padded[grid.stride * y + tap.dy + around, grid.stride * x + tap.dx + around]


@given(grid=st.sampled_from(GRIDS), height=st.integers(1, 13), seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_all_nine_taps(grid: Grid, height: int, seed: int) -> None:
    """Of every tile of an image, its edges included."""
    rng = np.random.default_rng(seed)
    image = rng.integers(1, 1000, (height, grid.width))
    taps = [Tap(slot // 3 - 1, slot % 3 - 1, slot) for slot in range(9)]
    blocks = blocks_of(image, grid)
    outputs = -(-height // grid.stride)
    tiles = -(-outputs // grid.output_rows), grid.output_columns
    entries = entries_for(grid, taps, len(blocks) // grid.input_columns, tiles)
    assert [entry.entry for entry in entries] == list(range(len(entries)))
    for place in np.ndindex(tiles):
        found = fill_window(entries, blocks, grid, (place[0], place[1]), tiles)
        for tap in taps:
            np.testing.assert_array_equal(
                found[tap.slot], wanted_pixels(image, grid, tap, (place[0], place[1])), str(tap)
            )


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_pieces_of_a_tap_cover_the_tile_once(grid: Grid) -> None:
    """But for late ones, which are written over others on purpose."""
    for dy, dx in itertools.product((-1, 0, 1), repeat=2):
        masks = [piece.quarters for piece in pieces(grid, dy, dx) if not piece.late]
        assert sum(masks) == 0b1111 == np.bitwise_or.reduce(masks)


def test_reads_of_the_same_word_are_merged() -> None:
    """Three taps of one row in slots of different columns take one read; a fourth variant in a
    column that is taken, or another word, takes another."""
    grid = Grid(PIXELS, PIXELS, 1)
    row = [Tap(0, dx, dx + 1) for dx in (-1, 0, 1)]

    def reads(taps: list[Tap]) -> int:
        located = [
            (piece.row, 0, tap.slot, piece)
            for tap in taps
            for piece in pieces(grid, tap.dy, tap.dx)
        ]
        return len(merge(located))

    assert reads(row) == 1
    assert reads([*row, Tap(0, 0, 3)]) == 2  # RIGHT is in that column
    assert reads([*row, Tap(1, -1, 3)]) == 2


def read_at(offset: int, slot: int, *, late: bool = False) -> tuple[int, int, int, Piece]:
    return offset, 0, slot, Piece(offset, 0, Variant.STRAIGHT, 0, 0b1111, late)


def test_pairs_are_in_both_banks() -> None:
    """Even and odd words where there are, whatever the order in which they are needed."""
    entries = pair(merge([read_at(offset, slot) for slot, offset in enumerate((0, 2, 4, 1, 3, 5))]))
    assert len(entries) == 3
    assert all((each.a_offset ^ each.b_offset) & 1 for each in entries)


def test_what_is_left_in_one_bank_is_paired_with_itself() -> None:
    entries = pair(merge([read_at(offset, slot) for slot, offset in enumerate((0, 2, 4))]))
    assert [(each.a_offset, each.b_enable and each.b_offset) for each in entries] == [
        (0, 2),
        (4, False),
    ]


def test_late_reads_come_behind_what_they_are_written_over() -> None:
    """Even if a pair in both banks would have them earlier."""
    entries = pair(merge([read_at(1, 0, late=True), read_at(0, 0), read_at(2, 0)]))
    order = [
        offset
        for each in entries
        for enable, offset in ((each.a_enable, each.a_offset), (each.b_enable, each.b_offset))
        if enable
    ]
    assert order == [0, 2, 1]
