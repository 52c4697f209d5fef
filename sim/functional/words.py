"""Words of memory, the memories that hold them on the chip, and the LOAD that fills these.

A word is one digit of a block: S planes, most significant first. Here it is an array of digit
values ``[pixel, channel]``, 0 .. 2^S - 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import NO_GROUP, Fault, Load, Memory, Move
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.sim.functional.fault import require
from fractrain.sim.functional.vector_memories import VectorMemories

Digits = NDArray[np.uint8]


class BrokenBytes(NamedTuple):
    """Bytes of memory that are answered with errors, if they are read, or if they are written."""

    first: int
    last: int
    reads: bool = True
    writes: bool = True


class ExternalMemory:
    """Memory behind the AXI ports: ``data[0]`` is the byte at address ``base``.

    Only ``first .. last`` may be accessed (the window). Where it is ``broken`` an access is
    READ_ERROR or WRITE_ERROR, and changes nothing.
    """

    def __init__(self, data: NDArray[np.uint8], base: int, parameters: Parameters) -> None:
        self.data, self.base, self._parameters = data, base, parameters
        self.first, self.last = base, base + len(data) - 1
        self.bytes_read = self.bytes_written = 0
        self.broken: tuple[BrokenBytes, ...] = ()

    def read(self, address: int, size: int) -> NDArray[np.uint8]:
        """``size`` bytes, a whole number of words."""
        self._check(address, size, self._parameters.word_bytes)
        bad = any(each.reads for each in self._broken(address, size))
        require(not bad, Fault.READ_ERROR, f"{size} bytes at 0x{address:X}")
        self.bytes_read += size
        return self.data[address - self.base :][:size]

    def write(self, address: int, values: NDArray[np.uint8]) -> None:
        size = len(values)
        self._check(address, size, self._parameters.block_bytes)
        bad = any(each.writes for each in self._broken(address, size))
        require(not bad, Fault.WRITE_ERROR, f"{size} bytes at 0x{address:X}")
        self.bytes_written += size
        self.data[address - self.base :][:size] = values

    def _check(self, address: int, size: int, unit: int) -> None:
        require(address % unit == 0, Fault.ALIGNMENT, f"0x{address:X}, units of {unit} bytes")
        inside = self.first <= address and address + size - 1 <= self.last
        require(inside, Fault.WINDOW, f"{size} bytes at 0x{address:X}")

    def _broken(self, address: int, size: int) -> list[BrokenBytes]:
        end = address + size
        return [each for each in self.broken if each.first < end and address <= each.last]


class ChipMemories:
    """What the three memories on the chip hold, and those of a vector unit.

    planes[word, pixel, channel], columns[word, group, column, lane] : digit values
    gradients[beat, result] : sums

    They start with random bits, as block RAM before it is written may hold anything.
    """

    def __init__(self, parameters: Parameters, rng: np.random.Generator) -> None:
        buffers, channels = parameters.buffers, parameters.block.channels
        self.parameters = parameters
        digit = 1 << parameters.array.spatial_bits
        planes = (buffers.plane_words, parameters.array.rows, channels)
        columns = (buffers.column_words, parameters.lane_groups, channels, channels)
        sums = (buffers.gradient_words, parameters.results_per_beat)
        self.planes = rng.integers(digit, size=planes, dtype=np.uint8)
        self.columns = rng.integers(digit, size=columns, dtype=np.uint8)
        self.gradients = rng.integers(
            -(1 << SUM_BITS - 1), 1 << SUM_BITS - 1, size=sums, dtype=np.int64
        )
        self._vector = None if parameters.vector is None else VectorMemories(parameters, rng)

    @property
    def unit(self) -> VectorMemories:
        """Those of the vector unit, of a machine that has one."""
        assert self._vector is not None
        return self._vector


def load(command: Load, bits: int, chip: ChipMemories, external: ExternalMemory) -> None:
    """Carry out ``command`` for an operand of ``bits``."""
    parameters = chip.parameters
    spatial, size = parameters.array.spatial_bits, parameters.word_bytes
    digits = parameters.digits(bits)
    for digit in range(digits):
        for run in range(command.runs):
            offset = digit * command.digit_stride + run * command.run_stride
            data = external.read(command.address + size * offset, size * command.words)
            words = from_bytes(data, parameters)
            if digit == digits - 1:
                words &= 0xFF << (spatial * digits - bits) & 0xFF
            destination = (
                command.destination
                + digit * command.destination_digit_stride
                + run * command.destination_run_stride
            )
            if command.memory is Memory.PLANES:
                chip.planes[plane_words(chip, destination, len(words))] = words
            else:
                write_columns(chip, destination, words, command)


def plane_words(chip: ChipMemories, address: int, count: int) -> slice:
    """Words of the plane memory; ADDRESS beyond it."""
    last, size = address + count - 1, len(chip.planes)
    require(last < size, Fault.ADDRESS, f"word {last} of {size} of the plane memory")
    return slice(address, last + 1)


def write_columns(
    chip: ChipMemories, destination: int, words: Digits, command: Load | Move
) -> None:
    """``words`` as half-blocks of a word of the column memory, which is there if one is kept."""
    size = len(chip.columns)
    if all(command.group(half) == NO_GROUP for half in range(2 * len(words))):
        return
    require(destination < size, Fault.ADDRESS, f"word {destination} of {size} of column memory")
    channels = chip.parameters.block.channels
    halves = words.reshape(-1, channels, channels)
    for index, half in enumerate(halves):
        group = command.group(index)
        if group != NO_GROUP:
            chip.columns[destination, group] = half.T if command.transposed else half


def from_bytes(data: NDArray[np.uint8], parameters: Parameters) -> Digits:
    """Digit values ``[word, pixel, channel]`` of whole words."""
    spatial = parameters.array.spatial_bits
    bits = np.unpackbits(data, bitorder="little").reshape(-1, spatial, parameters.block_bits)
    words = np.zeros((len(bits), parameters.block_bits), np.uint8)
    for plane in range(spatial):
        words |= bits[:, plane] << (spatial - 1 - plane)
    return words.reshape(-1, parameters.array.rows, parameters.block.channels)


def to_bytes(words: Digits, parameters: Parameters) -> NDArray[np.uint8]:
    """Inverse of `from_bytes`: ``[word, word_bytes]``."""
    spatial = parameters.array.spatial_bits
    flat = words.reshape(-1, parameters.block_bits)
    bits = np.stack([flat >> (spatial - 1 - plane) & 1 for plane in range(spatial)], axis=1)
    return np.packbits(bits, axis=-1, bitorder="little").reshape(len(flat), -1)
