"""Where the pixels of blocks and tiles are in their images."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import Join, RowPixels, Shape

Integers = NDArray[np.int64]


class Tiled(Protocol):
    """Commands with the tiles of images: STORE, NARROW, JOIN, SHAPE."""

    @property
    def row_pixels(self) -> RowPixels: ...
    @property
    def tiles_x(self) -> int: ...
    @property
    def tiles_y(self) -> int: ...
    @property
    def images(self) -> int: ...
    @property
    def valid_x(self) -> int: ...
    @property
    def valid_y(self) -> int: ...


def block_count(tiled: Tiled) -> int:
    """Tiles, or blocks of a group of channels."""
    return tiled.images * tiled.tiles_y * tiled.tiles_x


def places(tiled: Tiled, numbers: Integers) -> tuple[Integers, Integers, Integers]:
    """Image, row of tiles and tile in it, of tiles ``numbers``."""
    rest, x = np.divmod(numbers, tiled.tiles_x)
    image, y = np.divmod(rest, tiled.tiles_y)
    return image, y, x


def inside(tiled: Tiled, numbers: Integers, pixels: int) -> NDArray[np.bool_]:
    """Which pixels of tiles ``numbers`` are in the image, ``[tile, pixel]``."""
    row = row_width(tiled, pixels)
    across, down = np.arange(pixels) % row, np.arange(pixels) // row
    _, y, x = places(tiled, numbers)
    last_x, last_y = x == tiled.tiles_x - 1, y == tiled.tiles_y - 1
    beyond = last_x[:, None] & (across >= tiled.valid_x)
    beyond |= last_y[:, None] & (down >= tiled.valid_y)
    return ~beyond


def row_width(tiled: Tiled, pixels: int) -> int:
    """Pixels of a row of a tile of ``pixels``."""
    return pixels >> (2 - tiled.row_pixels)


def coordinates(tiled: Tiled, numbers: Integers, pixels: int) -> tuple[Integers, Integers]:
    """Row and column in the image of the pixels of tiles ``numbers``, ``[tile, pixel]``."""
    row = row_width(tiled, pixels)
    _, y, x = places(tiled, numbers)
    across, down = np.arange(pixels) % row, np.arange(pixels) // row
    return y[:, None] * (pixels // row) + down, x[:, None] * row + across


def pixel_numbers(shape: Shape, pixels: int) -> Integers:
    """The number in the image of each pixel, ``[block, pixel]``: as random bits count them."""
    row = row_width(shape, pixels)
    width = (shape.tiles_x - 1) * row + min(shape.valid_x, row)
    y, x = coordinates(shape, np.arange(block_count(shape)), pixels)
    return y * width + x


def numbers_follow(shape: Shape, pixels: int) -> bool:
    """Whether APPLY takes rows that are filled so."""
    row = row_width(shape, pixels)
    if shape.tiles_x > 1:
        return row == pixels <= shape.valid_x
    return shape.valid_x >= row or shape.valid_x in (row // 2, row // 4)


def interleaved(command: Join, number: int, pixels: int) -> tuple[Integers, Integers]:
    """Block, and pixel in it, of each pixel of tile ``number`` of an interleaved JOIN."""
    numbers = np.array([number])
    image, _, _ = places(command, numbers)
    y, x = coordinates(command, numbers, pixels)
    width = 2 * row_width(command, pixels) * command.tiles_x
    place = (2 * y + command.odd_row) * width + 2 * x + command.odd_column
    return (image[:, None] * command.image_blocks + place // pixels)[0], (place % pixels)[0]
