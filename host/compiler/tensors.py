"""Layouts of tensors in memory: words of S planes, most significant first.

Both layouts are ordered by digit first: a tensor of few bits fills a prefix of a wider layout, and
a reader of few bits reads a prefix. Within a digit, words that are loaded together are adjacent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.window import SLOTS

Integers = NDArray[np.integer]

TAPS = SLOTS
MOST_GROUPS = SLOTS
"""Lane groups of the array: blocks of channels that one slice can take."""


@dataclass(frozen=True)
class PixelLayout:
    """Activations or errors ``[images, channels, *size]``: ``[digit][group][image][block]`` words.

    Values have ``bits``. Rows are stored ``row_width`` wide: a quarter or half of a block's P
    pixels, or whole blocks. A block is R rows of C channels, or a part of one row. Pixels and
    channels beyond the tensor are zero.
    """

    parameters: Parameters
    images: int
    channels: int
    size: tuple[int, int]
    row_width: int
    bits: int

    @property
    def groups(self) -> int:
        return -(-self.channels // self.parameters.block.channels)

    @property
    def rows_per_block(self) -> int:
        return max(1, self.parameters.array.rows // self.row_width)

    @property
    def width_blocks(self) -> int:
        return max(1, self.row_width // self.parameters.array.rows)

    @property
    def block_rows(self) -> int:
        return -(-self.size[0] // self.rows_per_block)

    @property
    def blocks(self) -> int:
        """Of one image and group."""
        return self.block_rows * self.width_blocks

    @property
    def digits(self) -> int:
        return self.parameters.digits(self.bits)

    @property
    def group_stride(self) -> int:
        return self.images * self.blocks

    @property
    def digit_stride(self) -> int:
        return self.groups * self.group_stride

    @property
    def words(self) -> int:
        return self.digits * self.digit_stride

    def word(self, group: int, image: int, block: int) -> int:
        """Index of a word of digit 0."""
        return group * self.group_stride + image * self.blocks + block

    def pack(self, values: Integers, out: NDArray[np.uint8], bits: int | None = None) -> None:
        """Write ``values`` of ``bits``, by default all that are stored, to the tensor's bytes
        ``out``: they fill its first planes, the others stay as they are.
        """
        p, channels = self.parameters, self.parameters.block.channels
        bits = bits or self.bits
        kind = _narrowest(bits)
        height = self.block_rows * self.rows_per_block
        padded = np.zeros((self.images, self.groups * channels, height, self.row_width), kind)
        padded[:, : self.channels, : self.size[0], : self.size[1]] = values.astype(kind)
        width = min(self.row_width, p.array.rows)
        split = padded.reshape(
            self.images,
            self.groups,
            channels,
            self.block_rows,
            self.rows_per_block,
            self.width_blocks,
            width,
        )
        blocks = split.transpose(1, 0, 3, 5, 4, 6, 2).reshape(-1, p.block_bits)
        _write_planes(blocks, bits, out, p)

    def unpack(self, data: NDArray[np.uint8], *, signed: bool) -> NDArray[np.int64]:
        """Inverse of `pack`, of all planes that are stored."""
        p = self.parameters
        values = _values(data, self.bits, p, signed=signed)
        width = min(self.row_width, p.array.rows)
        split = values.reshape(
            self.groups,
            self.images,
            self.block_rows,
            self.width_blocks,
            self.rows_per_block,
            width,
            p.block.channels,
        )
        images = split.transpose(1, 0, 6, 2, 4, 3, 5).reshape(
            self.images, self.groups * p.block.channels, -1, self.row_width
        )
        return images[:, : self.channels, : self.size[0], : self.size[1]]


@dataclass(frozen=True)
class KernelLayout:
    """Weights ``[filters, channels, 3, 3]`` or ``[…, 1, 1]`` of ``bits``.

    ``[digit][filter group][slice]`` × ``slice_words``, each word two half-blocks of C filters by
    C channels. 3 x 3: a slice is a group of channels, its halves are the taps. 1 x 1: a slice is
    up to nine groups of channels, its halves are these. ``filter_groups`` may exceed the filters;
    everything beyond the tensor is zero.
    """

    parameters: Parameters
    filters: int
    channels: int
    taps: int
    bits: int
    filter_groups: int

    @property
    def channel_groups(self) -> int:
        return -(-self.channels // self.parameters.block.channels)

    @property
    def slices(self) -> int:
        groups = self.channel_groups
        return groups if self.taps == TAPS else slices_of(groups, MOST_GROUPS)[0]

    @property
    def groups_per_slice(self) -> int:
        return 1 if self.taps == TAPS else slices_of(self.channel_groups, MOST_GROUPS)[1]

    @property
    def halves(self) -> int:
        """Half-blocks of a slice."""
        return TAPS if self.taps == TAPS else self.groups_per_slice

    @property
    def slice_words(self) -> int:
        return -(-self.halves // 2)

    @property
    def digits(self) -> int:
        return self.parameters.digits(self.bits)

    @property
    def digit_stride(self) -> int:
        return self.filter_groups * self.slices * self.slice_words

    @property
    def words(self) -> int:
        return self.digits * self.digit_stride

    def word(self, filter_group: int, part: int) -> int:
        """Number of the first word of slice ``part`` in digit 0."""
        return (filter_group * self.slices + part) * self.slice_words

    def pack(self, values: Integers, out: NDArray[np.uint8], bits: int | None = None) -> None:
        """As `PixelLayout.pack`, for weights."""
        p, channels = self.parameters, self.parameters.block.channels
        bits = bits or self.bits
        kind = _narrowest(bits)
        inner = self.slices * self.groups_per_slice
        padded = np.zeros((self.filter_groups * channels, inner * channels, self.taps), kind)
        padded[: self.filters, : self.channels] = values.reshape(
            self.filters, self.channels, self.taps
        ).astype(kind)
        split = padded.reshape(
            self.filter_groups, channels, self.slices, self.groups_per_slice, channels, self.taps
        )
        halves = np.zeros(
            (self.filter_groups, self.slices, 2 * self.slice_words, channels, channels), kind
        )
        halves[:, :, : self.halves] = split.transpose(0, 2, 3, 5, 1, 4).reshape(
            self.filter_groups, self.slices, self.halves, channels, channels
        )
        _write_planes(halves.reshape(-1, p.block_bits), bits, out, p)


def slices_of(groups: int, most: int) -> tuple[int, int]:
    """(slices, groups in each) of ``groups`` groups of channels, ``most`` at a time, evenly."""
    slices = -(-groups // most)
    return slices, -(-groups // slices)


def _narrowest(bits: int) -> type[np.unsignedinteger]:
    """The type of values of ``bits``: their two's complement is in its lowest bits."""
    return np.uint8 if bits <= 8 else np.uint16


def _write_planes(
    blocks: NDArray[np.unsignedinteger], bits: int, out: NDArray[np.uint8], p: Parameters
) -> None:
    """``blocks[n, block_bits]`` of values of ``bits`` as words, digit by digit, into ``out``."""
    spatial = p.array.spatial_bits
    words = out.reshape(-1, len(blocks), spatial, p.block_bytes)
    for plane in range(bits):
        bit = blocks.dtype.type(1 << (bits - 1 - plane))
        words[plane // spatial, :, plane % spatial] = np.packbits(
            (blocks & bit) != 0, axis=-1, bitorder="little"
        )


def _values(
    data: NDArray[np.uint8], bits: int, p: Parameters, *, signed: bool
) -> NDArray[np.int64]:
    """Inverse of `_write_planes`, of all planes that are stored."""
    spatial = p.array.spatial_bits
    words = data.reshape(p.digits(bits), -1, spatial, p.block_bytes)
    total = np.zeros((words.shape[1], p.block_bits), np.int64)
    for plane in range(bits):
        weight = 1 << (bits - 1 - plane)
        part = np.unpackbits(
            words[plane // spatial, :, plane % spatial], axis=-1, bitorder="little"
        )
        total += part.astype(np.int64) * (-weight if signed and plane == 0 else weight)
    return total
