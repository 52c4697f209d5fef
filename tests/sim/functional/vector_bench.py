"""A small machine with a vector unit, whose memories a test can fill and read as tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from fractrain.hw.contract.commands import Command, RowPixels, Shape, encode_all
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand, Precision
from fractrain.hw.contract.records import Record, pack_records
from fractrain.sim.functional import FunctionalMachine, Host, Order, RunResult
from tests.hw.machines import machine

Integers = NDArray[np.int64]

STASH, RESULTS, PROGRAM, SIZE = 0, 1 << 19, 1 << 20, (1 << 20) + (1 << 14)
VECTOR = {
    "staging_words": 2048,
    "side_words": 1024,
    "side_bits": 16,
    "parameter_words": 256,
    "moment_words": 64,
    "peak_words": 32,
}
ERROR: dict[str, Any] = {"operand": Operand.ERROR, "partner": Operand.WEIGHT}


@dataclass(frozen=True)
class Grid:
    """A tensor ``[images, channels, height, width]`` with rows of ``row_width`` pixels on chip."""

    p: Parameters
    images: int
    channels: int
    height: int
    width: int
    row_width: int

    @property
    def groups(self) -> int:
        return -(-self.channels // self.p.block.channels)

    @property
    def padded(self) -> int:
        """Channels, those of whole groups."""
        return self.groups * self.p.block.channels

    @property
    def tiling(self) -> dict[str, Any]:
        """Fields of the tiles."""
        pixels, row = self.p.array.rows, self.row_width
        across, rows = max(1, row // pixels), max(1, pixels // row)
        down = -(-self.height // rows)
        return {
            "row_pixels": RowPixels(2 - (pixels // min(row, pixels)).bit_length() + 1),
            "tiles_x": across,
            "tiles_y": down,
            "images": self.images,
            "valid_x": self.width - (across - 1) * pixels if across > 1 else self.width,
            "valid_y": self.height - (down - 1) * rows,
        }

    @property
    def blocks(self) -> int:
        tiling = self.tiling
        return tiling["images"] * tiling["tiles_y"] * tiling["tiles_x"]

    @property
    def lines(self) -> int:
        return self.blocks * self.padded

    def shape(self, entry: int = 0, **fields: int) -> Shape:
        """With planes behind each other, in groups, on chip and in the stash."""
        given = {
            "plane_stride": self.groups * self.blocks,
            "plane_group_stride": self.blocks,
            "stash_stride": self.groups * self.blocks,
            "stash_group_stride": self.blocks,
            "mask_plane": 11,
            "activation_plane": 12,
            "residual_plane": 20,
        }
        return Shape(entry=entry, channel_groups=self.groups, **self.tiling, **given | fields)

    def _where(self) -> tuple[Integers, Integers]:
        """Line and place of each element."""
        image, channel, y, x = np.indices((self.images, self.channels, self.height, self.width))
        count = self.p.block.channels
        per_image = self.blocks // self.images
        block, place = np.divmod(y * self.row_width + x, self.p.array.rows)
        group, inner = np.divmod(channel, count)
        return (group * self.blocks + image * per_image + block) * count + inner, place

    def lines_of(self, tensor: ArrayLike, fill: Integers | None = None) -> Integers:
        """``[line, pixel]`` of a tensor; what it does not have is ``fill``, or 0."""
        lines = np.zeros((self.lines, self.p.array.rows), np.int64) if fill is None else fill.copy()
        lines[self._where()] = tensor
        return lines

    def tensor_of(self, lines: Integers) -> Integers:
        return lines[self._where()]

    def tiles_of(self, tensor: Integers, group: int) -> Integers:
        """``[tile, row, column]`` of a group of channels."""
        count = self.p.block.channels
        lines = self.lines_of(tensor).reshape(self.groups, self.blocks, count, -1)
        return lines[group].swapaxes(1, 2)

    def bits_of(self, words: NDArray[np.uint8], bits: int, *, signed: bool) -> Integers:
        """The tensor of planes ``[plane, group, block, pixel, channel]``."""
        total = np.zeros(words.shape[1:], np.int64)
        for plane in words[:bits]:
            total = total << 1 | plane
        if signed:
            total -= (total >> (bits - 1)) << bits
        return self.tensor_of(total.swapaxes(2, 3).reshape(self.lines, -1))


def grids(
    p: Parameters, *, most: int = 18, images: int = 2, parts: bool = False
) -> st.SearchStrategy[Grid]:
    """Small tensors, of rows narrower and wider than a block, filled or not; with ``parts`` such as
    APPLY takes."""
    pixels = p.array.rows
    rows = st.sampled_from([pixels // 4, pixels // 2, pixels, 2 * pixels])

    def of(row: int) -> st.SearchStrategy[Grid]:
        least = row - pixels + 1 if row > pixels else 1
        short = st.integers(least, row)
        if parts:
            short = st.just(row) if row > pixels else st.sampled_from([row // 2, row // 4])
        return st.builds(
            Grid,
            st.just(p),
            st.integers(1, images),
            st.integers(1, most),
            st.integers(1, 5),
            st.just(row) | short,
            st.just(row),
        )

    return rows.flatmap(of)


def small(**changes: Any) -> Parameters:
    """The machine: blocks of 8 channels x 16 pixels."""
    given = {"vector": VECTOR, "buffers__plane_words": 4096}
    return machine("tiny", **given | changes)


class VectorBench:
    """``machine`` on ``memory``, its on-chip memories at hand as ``unit`` and ``chip``."""

    def __init__(self, p: Parameters, seed: int = 0) -> None:
        self.p = p
        self.memory = np.random.default_rng(seed).integers(256, size=SIZE).astype(np.uint8)
        self.machine = FunctionalMachine(p, self.memory, seed=seed)
        self.chip = self.machine._chip
        self.unit = self.chip.unit
        self.set_slot(0, (8, 8, 8), (8, 8))

    def set_slot(self, slot: int, bits: tuple[int, int, int], kept: tuple[int, int]) -> None:
        self.machine.table[slot] = Precision(*bits)
        self.machine.kept[slot] = KeptBits(*kept)

    def run(
        self,
        *commands: Command,
        order: Order = Order.FETCH_FIRST,
        host: Host | None = None,
    ) -> RunResult:
        words = encode_all(list(commands)).reshape(-1)
        self.memory[PROGRAM : PROGRAM + len(words)] = words
        return self.machine.run(PROGRAM, len(commands), order, host)

    def put_records(self, record: Record, address: int, **values: ArrayLike) -> None:
        data = pack_records(record, values)
        self.unit.records[address : address + len(data)] = data

    def put_lines(self, address: int, grid: Grid, tensor: ArrayLike) -> None:
        """Of the staging memory; pixels outside the tensor keep what they had."""
        lines = slice(address, address + grid.lines)
        self.unit.staging[lines] = grid.lines_of(tensor, self.unit.staging[lines])

    def get_lines(self, address: int, grid: Grid) -> Integers:
        return grid.tensor_of(self.unit.staging[address : address + grid.lines])

    def put_side(self, address: int, grid: Grid, values: ArrayLike, masks: ArrayLike = 0) -> None:
        lines = slice(address, address + grid.lines)
        raw = np.asarray(values) & ((1 << self.unit.side_bits) - 1)
        self.unit.side[lines] = grid.lines_of(raw, self.unit.side[lines])
        self.unit.masks[lines] = grid.lines_of(masks, self.unit.masks[lines])

    def get_side(self, address: int, grid: Grid) -> tuple[Integers, Integers]:
        """Unsigned values, masks."""
        lines = slice(address, address + grid.lines)
        return grid.tensor_of(self.unit.side[lines]), grid.tensor_of(self.unit.masks[lines])

    def get_planes(self, address: int, grid: Grid, bits: int, *, signed: bool = False) -> Integers:
        count = grid.groups * grid.blocks
        words = self.chip.planes[address : address + bits * count]
        split = words.reshape(bits, grid.groups, grid.blocks, *words.shape[1:])
        return grid.bits_of(split, bits, signed=signed)

    def get_stash(
        self, address: int, grid: Grid, plane: int, bits: int, *, signed: bool = False
    ) -> Integers:
        """``bits`` planes from number ``plane`` on, of a stash with the strides of `Grid.shape`."""
        count = grid.groups * grid.blocks
        first = address + plane * count * self.p.word_bytes
        data = self.memory[first : first + bits * count * self.p.word_bytes]
        words = np.unpackbits(data, bitorder="little").reshape(bits, grid.groups, grid.blocks, -1)
        split = words.reshape(bits, grid.groups, grid.blocks, self.p.array.rows, -1)
        return grid.bits_of(split, bits, signed=signed)

    def outside(self, address: int, grid: Grid, planes: int) -> int:
        """Ones in the planes that belong to no pixel and channel of the tensor."""
        count = grid.groups * grid.blocks
        words = self.chip.planes[address : address + planes * count]
        inside = grid.lines_of(np.ones((grid.images, grid.channels, grid.height, grid.width)))
        shape = (grid.groups, grid.blocks, self.p.block.channels, -1)
        free = (inside.reshape(shape).swapaxes(2, 3) == 0)[None]
        # channels beyond the tensor may hold what their records make of them
        pixels = inside.reshape(shape).max(axis=(0, 2), keepdims=True).swapaxes(2, 3) == 0
        split = words.reshape(planes, grid.groups, grid.blocks, *words.shape[1:])
        return int((split * (free & pixels[None])).sum())
