"""The result stage: STORE, tile by tile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import Fault, Format, Store
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.functional.arithmetic import round_shift
from fractrain.sim.functional.execute import wrap48
from fractrain.sim.functional.fault import require
from fractrain.sim.functional.words import ChipMemories, ExternalMemory, to_bytes

Integers = NDArray[np.int64]


class ResultStage:
    """Gradient memory and the ways out of the machine; ``port``: the beats that left at the
    port."""

    def __init__(self, parameters: Parameters, chip: ChipMemories, external: ExternalMemory):
        self.parameters, self._chip, self._external = parameters, chip, external
        self.port: list[Integers] = []

    def store(self, command: Store, number: int, tile: Integers) -> None:
        """What ``command`` does with ``tile[row, column]``, its tile ``number``."""
        p = self.parameters
        by_beat = tile.reshape(p.array.rows, p.column_clusters, p.beats_per_tile)
        beats = by_beat.transpose(2, 0, 1).reshape(p.beats_per_tile, -1)
        sums = self._accumulate(command, number, beats)
        address = command.address + p.word_bytes * number * command.tile_stride
        if command.format is Format.PORT:
            self.port.extend(sums)
        elif command.format is Format.RAW32:
            self._external.write(address, _low_bytes(sums, 4))
        elif command.format is Format.RAW48:
            self._external.write(address, _low_bytes(sums, 6))
        elif command.format is Format.PLANES:
            self._store_planes(command, number, address, tile_of(sums, p))

    def _accumulate(self, command: Store, number: int, beats: Integers) -> Integers:
        if not command.add and not command.keep:
            return beats
        memory = self._chip.gradients
        first = command.gradient_address + number * len(beats)
        last = first + len(beats) - 1
        require(last < len(memory), Fault.ADDRESS, f"beat {last} of {len(memory)} of gradients")
        sums = wrap48(beats + memory[first : last + 1]) if command.add else beats
        if command.keep:
            memory[first : last + 1] = sums
        return sums

    def _store_planes(self, command: Store, number: int, address: int, tile: Integers) -> None:
        """``tile[pixel, channel]``, narrowed, as planes."""
        p = self.parameters
        values = np.where(
            self._outside(command, number)[:, None],
            0,
            narrow(tile, command.shift, command.bits, signed=command.signed),
        )
        spatial, digits = p.array.spatial_bits, p.digits(command.bits)
        raised = (values & ((1 << command.bits) - 1)) << (digits * spatial - command.bits)
        for digit in range(digits):
            part = raised >> (spatial * (digits - 1 - digit)) & ((1 << spatial) - 1)
            word = to_bytes(part.astype(np.uint8)[None], p)[0]
            self._external.write(address + p.word_bytes * digit * command.digit_stride, word)

    def _outside(self, command: Store, number: int) -> NDArray[np.bool_]:
        """Which pixels of tile ``number`` are not in the image."""
        pixels = self.parameters.array.rows
        row = pixels >> (2 - command.row_pixels)
        x, y = np.arange(pixels) % row, np.arange(pixels) // row
        last_x = number % command.tiles_x == command.tiles_x - 1
        last_y = number // command.tiles_x % command.tiles_y == command.tiles_y - 1
        return (last_x & (x >= command.valid_x)) | (last_y & (y >= command.valid_y))


def narrow(sums: Integers, shift: int, bits: int, *, signed: bool) -> Integers:
    """``sums`` divided by ``2**shift``, halves rounded up, saturated to ``bits``."""
    if shift:
        sums = round_shift(sums, shift)
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    return np.clip(sums, low, high)


def tile_of(beats: Integers, parameters: Parameters) -> Integers:
    """Beats of a tile as ``[row, column]``."""
    p = parameters
    split = beats.reshape(p.beats_per_tile, p.array.rows, p.column_clusters)
    return split.transpose(1, 2, 0).reshape(p.array.rows, p.array.columns)


def _low_bytes(sums: Integers, size: int) -> NDArray[np.uint8]:
    """The ``size`` low bytes of every sum, in order."""
    raw = np.ascontiguousarray(sums.astype("<i8")).view(np.uint8).reshape(-1, 8)
    return raw[:, :size].reshape(-1)
