"""The execute stage: CONVOLVE, with all its places at once instead of one pass after the other.

A pass adds ``row digit x column digit`` at the digits' weights, so all passes of a slice together
add the product of the operands' values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import FIELDS, Convolve, Fault, Opcode, Pattern
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.contract.window import GRADIENT_BLOCKS, GRADIENT_PAIRS, SLOTS, gradient_slot
from fractrain.sim.functional import window
from fractrain.sim.functional.decoding import Task
from fractrain.sim.functional.fault import require
from fractrain.sim.functional.words import ChipMemories, Digits

COLUMN_ADDRESSES = 1 << FIELDS[Opcode.CONVOLVE]["column_address"].width
"""They count modulo this."""
PLACES_AT_ONCE = 64
"""Places of a run that are computed together; bounds the memory."""


Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Places:
    """The places of a run of tiles: where they are, and at which edges of the image."""

    address: Integers
    top: NDArray[np.bool_]
    bottom: NDArray[np.bool_]
    left: NDArray[np.bool_]
    right: NDArray[np.bool_]

    def __getitem__(self, part: slice) -> Places:
        return Places(
            self.address[part],
            self.top[part],
            self.bottom[part],
            self.left[part],
            self.right[part],
        )


class ExecuteStage:
    """The pattern table, the window and the array, between the plane and column memories.

    Window values that no read writes are not defined; here they are ``unwritten``.
    """

    def __init__(self, parameters: Parameters, chip: ChipMemories, unwritten: int) -> None:
        self.parameters, self._chip = parameters, chip
        self._unwritten = unwritten
        self._patterns: dict[int, Pattern] = {}
        self._sums = np.zeros((parameters.array.rows, parameters.array.columns), np.int64)
        self.passes = 0

    def pattern(self, command: Pattern) -> None:
        self._patterns[command.entry] = command

    def convolve(self, task: Task, command: Convolve) -> list[Integers]:
        """Carry out ``command``; returns the tiles ``[row, column]`` that it sends."""
        rows, columns = (self.parameters.digits(bits) for bits in (task.bits, task.partner_bits))
        places = _places(command)
        self.passes += len(places.address) * command.slices * rows * columns
        sums = list(self._sum_places(task, command, places))
        if command.reduce:
            sums = [np.sum(sums, axis=0)]
        if not command.start:
            sums[0] = sums[0] + self._sums
        self._sums = sums[-1]
        excess = rows * self.parameters.array.spatial_bits - task.bits
        excess += columns * self.parameters.array.spatial_bits - task.partner_bits
        return [wrap48(each << excess) >> excess for each in sums] if command.finish else []

    def _sum_places(self, task: Task, command: Convolve, places: Places) -> Iterator[Integers]:
        """The sums over all slices of each place; with ``reduce`` of several places together."""
        reads = self._reads(command)
        for first in range(0, len(places.address), PLACES_AT_ONCE):
            group = places[first : first + PLACES_AT_ONCE]
            count = len(group.address)
            if command.reduce:
                yield self._reduced(task, command, group, first, reads)
                continue
            total = np.zeros((count * self.parameters.array.rows, self.parameters.array.columns))
            for step in range(command.slices):
                rows = self._rows(task, command, group, step, reads)
                columns = self._columns(task, command, np.array([step]))
                total += rows.reshape(-1, self.parameters.array.lanes) @ columns[0]
            yield from total.astype(np.int64).reshape(count, -1, self.parameters.array.columns)

    def _reduced(
        self,
        task: Task,
        command: Convolve,
        group: Places,
        first: int,
        reads: list[window.Read],
    ) -> Integers:
        total = np.zeros((self.parameters.array.rows, self.parameters.array.columns))
        numbers = first + np.arange(len(group.address))
        for step in range(command.slices):
            rows = self._rows(task, command, group, step, reads)
            columns = self._columns(task, command, numbers * command.slices + step)
            flat = rows.transpose(1, 0, 2).reshape(self.parameters.array.rows, -1)
            total += flat @ columns.reshape(flat.shape[1], -1)
        return total.astype(np.int64)

    def _reads(self, command: Convolve) -> list[window.Read]:
        """Of all pattern entries of the command; entries never written do nothing."""
        pixels = self.parameters.array.rows
        row = pixels >> (2 - command.row_pixels)
        entries = range(command.pattern, command.pattern + command.pairs)
        return [
            read
            for entry in entries
            for read in window.reads(self._patterns.get(entry, Pattern(entry)), pixels, row)
        ]

    # -- operands ------------------------------------------------------------------------------

    def _rows(
        self,
        task: Task,
        command: Convolve,
        places: Places,
        step: int,
        reads: list[window.Read],
    ) -> NDArray[np.float64]:
        """Values ``[place, unit row, lane]`` of slice ``step``."""
        p = self.parameters
        shape = (len(places.address), SLOTS, p.array.rows, p.block.channels)
        slots = np.full(shape, float(self._unwritten))
        base = places.address + step * command.slice_stride
        for read in reads:
            blocks = self._read_blocks(task, command, base + read.offset, read, places)
            window.apply(read, blocks, slots)
        rows = self._gradient_rows(slots) if command.gradient else self._window_rows(slots)
        lanes = np.arange(p.array.lanes) // p.block.channels
        rows[:, :, command.groups >> lanes & 1 == 0] = 0
        return rows

    def _read_blocks(
        self,
        task: Task,
        command: Convolve,
        addresses: Integers,
        read: window.Read,
        places: Places,
    ) -> NDArray[np.float64]:
        """Values ``[place, pixel, channel]`` of the words at ``addresses``, or zeros."""
        planes = self._chip.planes
        zero = read.is_zero(places.top, places.bottom, places.left, places.right)
        digits = []
        for digit in range(self.parameters.digits(task.bits)):
            each = np.where(zero, 0, addresses + digit * command.digit_stride)
            _check_addresses(each, len(planes), "the plane memory")
            digits.append(planes[each])
        blocks = self._value(digits, task.bits, signed=command.row_signed)
        blocks[zero] = 0
        return blocks

    def _columns(self, task: Task, command: Convolve, steps: Integers) -> NDArray[np.float64]:
        """Values ``[step, lane, column]``."""
        memory, p = self._chip.columns, self.parameters
        digits = []
        for digit in range(p.digits(task.partner_bits)):
            each = command.column_address + steps * command.column_slice_stride + digit
            each %= COLUMN_ADDRESSES
            _check_addresses(each, len(memory), "the column memory")
            digits.append(memory[each])
        values = self._value(digits, task.partner_bits, signed=command.column_signed)
        return values.transpose(0, 1, 3, 2).reshape(len(steps), p.array.lanes, p.array.columns)

    def _value(
        self, digits: list[Digits], bits: int, *, signed: bool = False
    ) -> NDArray[np.float64]:
        """Numbers of ``bits``, from their digits, the most significant first."""
        spatial = self.parameters.array.spatial_bits
        total = np.zeros(digits[0].shape, np.int32)
        for each in digits:
            total = (total << spatial) | each
        total >>= len(digits) * spatial - bits
        if signed:
            total -= (total >> (bits - 1)) << bits
        return total.astype(np.float64)

    def _window_rows(self, slots: NDArray[np.float64]) -> NDArray[np.float64]:
        return slots.transpose(0, 2, 1, 3).reshape(len(slots), self.parameters.array.rows, -1)

    def _gradient_rows(self, slots: NDArray[np.float64]) -> NDArray[np.float64]:
        p = self.parameters
        rows = np.zeros((len(slots), p.array.rows, p.array.lanes))
        channels, pixels = p.block.channels, p.array.rows
        for pair in range(GRADIENT_PAIRS):
            for block in range(GRADIENT_BLOCKS):
                slot = gradient_slot(pair, block)
                units = slice(pair * channels, (pair + 1) * channels)
                lanes = slice(block * pixels, (block + 1) * pixels)
                rows[:, units, lanes] = slots[:, slot].transpose(0, 2, 1)
        return rows


def wrap48(values: Integers) -> Integers:
    """``values`` as 48-bit accumulators hold them."""
    return (values << 64 - SUM_BITS) >> 64 - SUM_BITS


def _places(command: Convolve) -> Places:
    image, y, x = (
        each.ravel()
        for each in np.indices((command.images, command.tiles_y, command.tiles_x), np.int64)
    )
    return Places(
        command.address
        + image * command.image_stride
        + y * command.y_stride
        + x * command.x_stride,
        (y == 0) & command.top_edge,
        (y == command.tiles_y - 1) & command.bottom_edge,
        x == 0,
        x == command.tiles_x - 1,
    )


def _check_addresses(addresses: Integers, size: int, name: str) -> None:
    low, high = int(addresses.min()), int(addresses.max())
    worst = low if low < 0 else high
    require(0 <= worst < size, Fault.ADDRESS, f"word {worst} of {size} of {name}")
