"""What the array does for a CONVOLVE: passes and cycles of every tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import Convolve, Pattern, Zero


@dataclass(frozen=True)
class TileWork:
    """``passes`` of each tile, and its ``cycles``, longer if reading the windows takes longer.

    ``places`` are the cycles of each place, more than one of which may be a tile, ``first_read``
    those of the reads of the very first window.
    """

    passes: NDArray[np.int64]
    cycles: NDArray[np.int64]
    places: NDArray[np.int64]
    first_read: int


def tile_work(command: Convolve, entries: list[Pattern], rows: int, columns: int) -> TileWork:
    """The work of ``command`` with ``entries`` as its pattern, at ``rows`` x ``columns`` digits.

    A window takes as many cycles as it has passes, ``columns``, or as its reads take: one per pair,
    two if both words are in the same bank (the parity of their offsets decides).
    """
    y, x = np.arange(command.tiles_y), np.arange(command.tiles_x)
    top = (y == 0) & command.top_edge
    bottom = (y == command.tiles_y - 1) & command.bottom_edge
    left, right = x == 0, x == command.tiles_x - 1
    shape = (command.tiles_y, command.tiles_x)
    reads = np.zeros(shape, np.int64)

    def from_memory(enable: bool, zero: int) -> NDArray[np.bool_]:
        zeros = np.zeros(shape, bool) | bool(zero & Zero.ALWAYS)
        for bit, where in (
            (Zero.TOP, top[:, None]),
            (Zero.BOTTOM, bottom[:, None]),
            (Zero.LEFT, left[None, :]),
            (Zero.RIGHT, right[None, :]),
        ):
            if zero & bit:
                zeros |= where
        return ~zeros & enable

    for entry in entries:
        both = from_memory(entry.a_enable, entry.a_zero) & from_memory(entry.b_enable, entry.b_zero)
        same_bank = (entry.a_offset - entry.b_offset) % 2 == 0
        reads += 1 + (both & same_bank)
    windows = command.slices * rows
    passes = np.full(shape, windows * columns, np.int64)
    cycles = windows * np.maximum(columns, reads)
    of_places = [np.tile(each.reshape(-1), command.images) for each in (passes, cycles)]
    tiles = [each.sum(keepdims=True) for each in of_places] if command.reduce else of_places
    return TileWork(tiles[0], tiles[1], of_places[1], int(reads[0, 0]))
