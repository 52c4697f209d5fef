"""How kernels walk a tensor: blocks, cut into tiles that stay in the first cache.

    memory          block                    channel of element i of a tile
    [N,H,W,C]       an image                 i mod C
    [N,C,H,W]       channels of an image     i div pixels of the tile in a channel

So a tile is one loop without conditions in either format: what differs from channel to channel is
laid out along a tile first, once a block, and sums are kept along it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fractrain.host.backends.compiled.compiling import kernel
from fractrain.hw.contract.numerics import RANDOM_BITS
from fractrain.hw.contract.random_bits import WORD_PIXELS
from fractrain.hw.contract.threefry import WORD_BITS

TILE = 512
"""Elements, if that is enough for `LEAST_PIXELS`: what a kernel keeps then fits in 32 KB."""

LEAST_PIXELS = WORD_BITS // RANDOM_BITS
"""Of all channels in a tile: what a random word is for."""


@dataclass(frozen=True)
class Walk:
    """``blocks`` of ``wide`` channels and ``block`` elements, in tiles of ``tile`` elements.

    Channels take turns (``turns``), or lie one after the other. A tile is a whole block, or has
    whole groups of `WORD_PIXELS` pixels, or divides such a group in whole words.
    """

    blocks: int
    block: int
    wide: int
    tile: int
    turns: bool

    @classmethod
    def over(cls, shape: tuple[int, ...], *, turns: bool) -> Walk:
        """The tensor ``[N,C,H,W]`` of that shape; ``turns``: its memory is [N,H,W,C]."""
        images, channels, height, width = shape
        pixels = height * width
        if turns:
            fitting = 1 << (max(1, TILE // channels).bit_length() - 1)
            together = min(max(fitting, LEAST_PIXELS), WORD_PIXELS)
            return cls(images, channels * pixels, channels, together * channels, True)
        wide = max(
            k
            for k in range(1, channels + 1)
            if channels % k == 0 and (k == 1 or k * pixels <= TILE)
        )
        tile = min(TILE, wide * pixels)
        return cls(images * channels // wide, wide * pixels, wide, tile, False)

    @property
    def how(self) -> tuple[int, int, int, bool]:
        """(block, wide, tile, turns)."""
        return self.block, self.wide, self.tile, self.turns


@kernel
def lay(tile: Any, values: Any, row: int, channel: int, wide: int, turns: bool) -> None:
    """``values[row, channel]`` of each element of a tile, of ``wide`` channels from ``channel``."""
    if turns:
        for start in range(0, len(tile), wide):
            for i in range(wide):
                tile[start + i] = values[row, channel + i]
    else:
        run = len(tile) // wide
        for i in range(wide):
            tile[i * run : (i + 1) * run] = values[row, channel + i]


@kernel
def fold(tile: Any, sums: Any, image: int, channel: int, wide: int, turns: bool) -> None:
    """Adds up what a tile has of each channel in ``sums[image, channel]``, and clears it."""
    target = sums[image, channel : channel + wide]
    if turns:
        for start in range(0, len(tile), wide):
            row = tile[start : start + wide]
            for i in range(wide):
                target[i] += row[i]
    else:
        run = len(tile) // wide
        for k in range(wide):
            row, total = tile[k * run : (k + 1) * run], np.int64(0)
            for i in range(run):
                total += row[i]
            target[k] += total
    tile[:] = 0
