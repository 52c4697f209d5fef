"""A tensor of the vector stage: where a SHAPE has its lines, planes and stash."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import Fault, Shape
from fractrain.hw.contract.records import Record
from fractrain.sim.functional.arithmetic import Integers
from fractrain.sim.functional.fault import require
from fractrain.sim.functional.pixels import block_count, inside, places
from fractrain.sim.functional.words import ChipMemories, ExternalMemory, to_bytes

SUM_BYTES = 4
"""Of a pooled sum."""


class Tensor:
    """Numbers ``[group, block, channel, pixel]`` in the places that ``shape`` says.

    ``inside``: which pixels are in the image, ``[1, block, 1, pixel]``; ``images``: the image of
    each block.
    """

    def __init__(self, shape: Shape, chip: ChipMemories, external: ExternalMemory) -> None:
        p = chip.parameters
        self.shape, self._chip, self._external = shape, chip, external
        numbers = np.arange(block_count(shape))
        self.size = (shape.channel_groups, len(numbers), p.block.channels, p.array.rows)
        self.inside = inside(shape, numbers, p.array.rows)[None, :, None]
        self.images = places(shape, numbers)[0]

    @property
    def lines(self) -> int:
        groups, blocks, channels, _ = self.size
        return groups * blocks * channels

    def flat(self, values: Integers) -> Integers:
        """As lines."""
        return np.broadcast_to(values, self.size).reshape(self.lines, -1)

    def unflat(self, lines: Integers) -> Integers:
        return lines.reshape(self.size)

    # -- on chip ---------------------------------------------------------------------------

    def read(self, address: int) -> Integers:
        """Of the staging memory."""
        memories = self._chip.unit
        return self.unflat(memories.staging[memories.lines(memories.pairs(address), self.lines)])

    def write(self, address: int, values: Integers) -> None:
        memories = self._chip.unit
        memories.staging[memories.lines(memories.pairs(address), self.lines)] = self.flat(values)

    def read_values(self, address: int) -> Integers:
        """A value of each image and channel, at all pixels of the image."""
        groups, _, channels, _ = self.size
        memories, images = self._chip.unit, self.shape.images
        lines = memories.staging[memories.lines(address, images * groups)]
        values = lines.reshape(images, groups, -1)[:, :, :channels].swapaxes(0, 1)
        return values[:, self.images][..., None]

    def side_lines(self, address: int) -> slice:
        """Of the side memory."""
        memories = self._chip.unit
        return memories.side_lines(memories.pairs(address), self.lines)

    def read_residual(self, address: int, bits: int) -> Integers:
        """r of ``bits`` bits, of the side memory."""
        return self.unflat(self._chip.unit.side[self.side_lines(address)]) & ((1 << bits) - 1)

    def records(self, record: Record, address: int) -> dict[str, Integers]:
        """Of each channel, ``[group, 1, channel, 1]``."""
        groups, _, channels, _ = self.size
        found = self._chip.unit.read_records(record, address, groups * channels)
        return {name: each.reshape(groups, 1, channels, 1) for name, each in found.items()}

    def to_planes(self, address: int, values: Integers, bits: int) -> None:
        """``bits`` planes into the plane memory."""
        shape, planes = self.shape, self._chip.planes
        groups, blocks, _, _ = self.size
        group, block = np.indices((groups, blocks))
        where = address + group * shape.plane_group_stride + block
        last = int(where.max()) + (bits - 1) * shape.plane_stride
        require(last < len(planes), Fault.ADDRESS, f"word {last} of {len(planes)} of planes")
        for plane, digits in enumerate(self._split(values, bits)):
            planes[where + plane * shape.plane_stride] = digits

    # -- in memory -------------------------------------------------------------------------

    def stash(self, address: int, first: int, values: Integers, bits: int) -> None:
        """``bits`` planes from number ``first`` on of the stash at ``address``."""
        p, shape = self._chip.parameters, self.shape
        for plane, digits in enumerate(self._split(values, bits), first):
            for group, each in enumerate(digits):
                offset = plane * shape.stash_stride + group * shape.stash_group_stride
                self._external.write(address + p.word_bytes * offset, to_bytes(each, p).reshape(-1))

    def pool(self, address: int, values: Integers) -> None:
        """Sums of each image and channel, ``[image][group][channel]``."""
        groups, _, channels, _ = self.size
        blocks = self.shape.tiles_x * self.shape.tiles_y
        each = values.sum(axis=3).reshape(groups, self.shape.images, blocks, channels).sum(axis=2)
        data = np.ascontiguousarray(each.swapaxes(0, 1).astype("<u4")).view(np.uint8)
        for number, part in enumerate(data.reshape(-1, SUM_BYTES * channels)):
            self._external.write(address + SUM_BYTES * channels * number, part)

    def _split(self, values: Integers, bits: int) -> list[NDArray[np.uint8]]:
        """Digits ``[group, block, pixel, channel]`` of each plane, the most significant first."""
        turned = np.broadcast_to(values, self.size).swapaxes(2, 3)
        return [(turned >> bit & 1).astype(np.uint8) for bit in reversed(range(bits))]
