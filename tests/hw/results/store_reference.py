"""What a STORE does to its tiles, written from `hw.contract.commands.Store` in NumPy."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import Format, RowPixels, Store
from fractrain.hw.contract.parameters import Parameters

SUM_BITS = 48


def wrapped(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Modulo 2**48, signed."""
    return (values << 16) >> 16


def narrowed(store: Store, sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """floor((sum + 2**(shift-1)) / 2**shift), saturated."""
    values = sums.astype(object)
    if store.shift:
        values = (values + 2 ** (store.shift - 1)) // 2**store.shift
    if store.signed:
        low, high = -(2 ** (store.bits - 1)), 2 ** (store.bits - 1) - 1
    else:
        low, high = 0, 2**store.bits - 1
    return np.clip(values, low, high).astype(np.int64)


def outside(store: Store, parameters: Parameters, last_x: bool, last_y: bool) -> NDArray[np.bool_]:
    """Pixels of a tile that are stored as zeros."""
    pixels = parameters.array.rows
    width = {
        RowPixels.QUARTER: pixels // 4,
        RowPixels.HALF: pixels // 2,
        RowPixels.WHOLE: pixels,
    }[store.row_pixels]
    pixel = np.arange(pixels)
    x, y = pixel % width, pixel // width
    return (last_x & (x >= store.valid_x)) | (last_y & (y >= store.valid_y))


def bits_to_int(bits: NDArray[np.uint8]) -> int:
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


@dataclass
class StoreReference:
    """The gradient memory, and what left: beats at the port, blocks by address."""

    parameters: Parameters
    port: list[tuple[list[int], bool]] = field(default_factory=list)
    blocks: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        shape = (self.parameters.buffers.gradient_words, self.parameters.results_per_beat)
        self.gradient = np.zeros(shape, np.int64)

    def run(self, store: Store, tiles: NDArray[np.int64]) -> None:
        """``tiles[t, beat, result]``, as they leave the array."""
        tile = 0
        for _ in range(store.images):
            for y in range(store.tiles_y):
                for x in range(store.tiles_x):
                    last = x == store.tiles_x - 1, y == store.tiles_y - 1
                    self._tile(store, tile, tiles[tile], *last)
                    tile += 1

    def _tile(
        self, store: Store, t: int, beats: NDArray[np.int64], last_x: bool, last_y: bool
    ) -> None:
        count = self.parameters.beats_per_tile
        place = slice(store.gradient_address + t * count, store.gradient_address + (t + 1) * count)
        sums = beats
        if store.add:
            sums = wrapped(sums + self.gradient[place])
        if store.keep:
            self.gradient[place] = sums
        base = store.address + self.parameters.word_bytes * t * store.tile_stride
        if store.format == Format.PORT:
            self.port += [(row.tolist(), b == count - 1) for b, row in enumerate(sums)]
        elif store.format in (Format.RAW32, Format.RAW48):
            self._raw(base, sums, 32 if store.format == Format.RAW32 else 48)
        elif store.format == Format.PLANES:
            values = narrowed(store, sums)
            self._planes(store, base, values, outside(store, self.parameters, last_x, last_y))

    def _raw(self, base: int, sums: NDArray[np.int64], bits: int) -> None:
        run = ((sums.reshape(-1, 1) >> np.arange(bits)) & 1).astype(np.uint8).reshape(-1)
        size = self.parameters.block_bits
        for number, block in enumerate(run.reshape(-1, size)):
            self.blocks.append((base + number * size // 8, bits_to_int(block)))

    def _planes(
        self, store: Store, base: int, values: NDArray[np.int64], masked: NDArray[np.bool_]
    ) -> None:
        array, per_word = self.parameters.array, self.parameters.array.spatial_bits
        clusters = self.parameters.column_clusters
        tile = np.zeros((array.rows, array.columns), np.int64)
        for b, beat in enumerate(values):
            for cluster in range(clusters):
                column = cluster * array.cluster_columns + b
                tile[:, column] = beat.reshape(array.rows, clusters)[:, cluster]
        tile[masked] = 0
        for p in range(-(-store.bits // per_word) * per_word):
            plane = np.zeros(tile.size, np.uint8)
            if p < store.bits:
                plane = ((tile.reshape(-1) >> (store.bits - 1 - p)) & 1).astype(np.uint8)
            word = base + (p // per_word) * store.digit_stride * self.parameters.word_bytes
            address = word + (p % per_word) * self.parameters.block_bytes
            self.blocks.append((address, bits_to_int(plane)))
