"""Destinations of a step's results, and the conversion of tiles to tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import Format, Store
from fractrain.hw.contract.parameters import Parameters

SUM_BYTES = {Format.RAW32: 4, Format.RAW48: 6}
Sums = NDArray[np.signedinteger]
Tiles = NDArray[np.signedinteger]
"""Sums as they leave the machine: ``[tile, beat, row, cluster]``; column ``cluster * beats + beat``
of the tile is in a beat's place ``cluster``."""


@dataclass(frozen=True)
class Raw:
    """All bits of every sum, in memory: 32 where they are known to be enough, else 48."""


@dataclass(frozen=True)
class Port:
    """All bits of every sum, at the result port."""


PLANE_BITS = 16
"""Of results narrowed to planes where a program is made to be measured or modelled."""


@dataclass(frozen=True)
class Planes:
    """Sums divided by ``2**shift``, rounded, saturated to ``bits``, as a tensor in planes."""

    bits: int
    shift: int = 0
    signed: bool = False

    def narrow(self, sums: NDArray[np.int64]) -> NDArray[np.int64]:
        """The machine's results for ``sums``."""
        if self.shift:
            # sum + 2^(shift − 1) may need more than 64 bits
            halves = sums >> (self.shift - 1)
            sums = halves - (halves >> 1)
        low, high = (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1)
        if not self.signed:
            low, high = 0, (1 << self.bits) - 1
        return np.clip(sums, low, high)


Destination = Raw | Port | Planes


@dataclass
class TileRegion:
    """``count`` tiles of raw sums, in memory from ``address`` on or at the port.

    ``log``: the results that leave at the port, in order; all regions of a program share it.
    """

    parameters: Parameters
    count: int
    format: Format
    log: list[Sent]
    address: int = 0

    @property
    def tile_words(self) -> int:
        p = self.parameters
        size = p.array.rows * p.array.columns * SUM_BYTES.get(self.format, 0)
        return size // p.word_bytes

    @property
    def bytes(self) -> int:
        return self.count * self.tile_words * self.parameters.word_bytes

    def store(self, command: Store, first: int) -> Store:
        """``command`` with its tiles stored from tile ``first`` on."""
        if self.format is Format.PORT:
            self.log.append(Sent(self, first, command.images * command.tiles_y * command.tiles_x))
        return replace(
            command,
            format=self.format,
            address=self.address + first * self.tile_words * self.parameters.word_bytes,
            tile_stride=self.tile_words,
        )

    def from_memory(self, data: NDArray[np.uint8]) -> Tiles:
        """The tiles in the region's bytes ``data``; a view if they have 32 bits."""
        if self.format is Format.RAW32:
            return tiles_of(data.view("<i4"), self.parameters)
        parts = data.view("<u2").reshape(-1, 3)
        sums = parts[:, 2].view("<i2").astype(np.int64) << 32
        sums |= parts[:, 1].astype(np.int64) << 16
        sums |= parts[:, 0]
        return tiles_of(sums, self.parameters)


@dataclass(frozen=True)
class Sent:
    """``count`` tiles of ``region`` from tile ``first`` on, at the port."""

    region: TileRegion
    first: int
    count: int


def tiles_of(sums: Sums, parameters: Parameters) -> Tiles:
    """Beats as tiles."""
    p = parameters
    return sums.reshape(-1, p.beats_per_tile, p.array.rows, p.column_clusters)


def matrices(tiles: Tiles) -> Sums:
    """``tiles`` as ``[tile, row, column]``."""
    count, _, rows, _ = tiles.shape
    return tiles.transpose(0, 2, 3, 1).reshape(count, rows, -1)


@dataclass(frozen=True)
class TileGrid:
    """Tiles of a convolution: ``[group][image][row][column]``, P pixels by C channels each.

    ``size`` pixels from ``crop`` on are the result; rows are ``width`` pixels.
    """

    groups: int
    images: int
    rows: int
    columns: int
    width: int
    channels: int
    crop: tuple[int, int]
    size: tuple[int, int]

    @property
    def count(self) -> int:
        return self.groups * self.images * self.rows * self.columns

    def number(self, group: int, image: int, row: int) -> int:
        """Of the first tile of a row of tiles."""
        return ((group * self.images + image) * self.rows + row) * self.columns

    def assemble(self, tiles: Tiles) -> NDArray[np.int64]:
        """``[image, channel, height, width]``, rows of tiles being pixels, columns channels."""
        _, beats, pixels, clusters = tiles.shape
        lines = max(1, pixels // self.width)
        split = tiles.reshape(
            self.groups,
            self.images,
            self.rows,
            self.columns,
            beats,
            lines,
            pixels // lines,
            clusters,
        ).transpose(1, 0, 7, 4, 2, 5, 3, 6)
        whole = np.empty(split.shape, np.int64)
        whole[...] = split  # the only copy
        images = whole.reshape(
            self.images,
            self.groups * beats * clusters,
            self.rows * lines,
            self.columns * pixels // lines,
        )
        (top, left), (height, width) = self.crop, self.size
        return images[:, : self.channels, top : top + height, left : left + width]
