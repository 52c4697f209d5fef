"""How kernels walk a tensor: blocks, cut into tiles that stay in the first cache.

    memory          block                period   channel of element i of a tile
    [N,C,H,W]       channel of an image  1        that one
    [N,H,W,C]       image                C        i mod C

So a tile is one loop without conditions in either format: what differs from channel to channel is
laid out along a tile first, once a block, and sums are kept along it.
"""

from __future__ import annotations

from typing import Any

from fractrain.host.backends.compiled.compiling import kernel
from fractrain.hw.contract.random_bits import WORD_PIXELS

TILE = 512
"""Elements: the six arrays of 8 bytes that a kernel keeps at most then fit in 32 KB."""


def tile_pixels(period: int) -> int:
    """Pixels of a tile: a power of two, and at most `WORD_PIXELS` of several channels."""
    if period == 1:
        return TILE
    return min(WORD_PIXELS, 1 << (max(1, TILE // period).bit_length() - 1))


@kernel
def lay(tile: Any, values: Any, row: int, channel: int, period: int) -> None:
    """``values[row, channel …]`` of each element of a tile."""
    if period == 1:
        tile[:] = values[row, channel]
    else:
        for start in range(0, len(tile), period):
            for i in range(period):
                tile[start + i] = values[row, channel + i]


@kernel
def fold(tile: Any, sums: Any, image: int, channel: int, period: int) -> None:
    """Adds up what a tile has of each channel in ``sums[image, channel …]``, and clears it."""
    for start in range(0, len(tile), period):
        for i in range(period):
            sums[image, channel + i] += tile[start + i]
    tile[:] = 0
