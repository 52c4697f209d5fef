"""NARROW and JOIN: tiles become lines of the staging memory, with their moments and peak."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.commands import Earlier, Fault, Join, Narrow
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.functional.arithmetic import (
    Integers,
    cut,
    round_shift,
    saturate,
    shift_saturate,
    sign_extend,
)
from fractrain.sim.functional.decoding import Task
from fractrain.sim.functional.fault import require
from fractrain.sim.functional.pixels import inside, interleaved
from fractrain.sim.functional.vector_memories import VectorMemories

Flags = NDArray[np.bool_]


class Staging:
    """The way of sums into the staging memory. The numbers of a tile are ``[channel, pixel]``."""

    def __init__(self, parameters: Parameters, memories: VectorMemories) -> None:
        self.parameters, self._memories = parameters, memories

    def store(self, task: Task, command: Narrow | Join, number: int, tile: Integers) -> None:
        """What ``command`` does with ``tile[row, column]``, its tile ``number``."""
        valid = inside(command, np.array([number]), self.parameters.array.rows)
        sums = np.where(valid, cut(tile.T, words.CONVOLVED_BITS), 0)
        if isinstance(command, Narrow):
            self._narrow(command, number, sums)
        elif command.part:
            self._leave(command, number, self._part(command, sums))
        else:
            self._join(task, command, number, sums, valid[0])

    # -- forward ---------------------------------------------------------------------------

    def _narrow(self, command: Narrow, number: int, sums: Integers) -> None:
        memories, count = self._memories, len(sums)
        scale = memories.scale(command.scale)
        lines = memories.lines(command.address + number * count, count)
        y = shift_saturate(sums, scale["narrow_shift"], words.NARROW_BITS)
        self._total(command, number, y, y)
        memories.raise_peak(command.peak, int(np.abs(sums).max()))
        memories.staging[lines] = y

    def _total(self, command: Narrow | Join, number: int, one: Integers, other: Integers) -> None:
        clear = command.start and number == 0
        sums, products = one.sum(axis=1), (one * other).sum(axis=1)
        self._memories.add_moments(command.moments, sums, products, clear=clear)

    # -- backward --------------------------------------------------------------------------

    def _part(self, command: Join, sums: Integers) -> Integers:
        """The convolution's part of the error, 24 bits."""
        scale = self._memories.scale(command.scale)
        before = min(scale["before"], words.CONVOLVED_BITS - words.PRESHIFTED_BITS)
        shifted = cut(round_shift(sums, before), words.PRESHIFTED_BITS)
        return shift_saturate(shifted * scale["mantissa"], scale["shift"], words.JOIN_BITS)

    def _leave(self, command: Join, number: int, part: Integers) -> None:
        """Two lines a channel: low bits, then the others."""
        count = 2 * len(part)
        lines = self._pairs(command.address, number, count)
        halves = np.stack([cut(part, 16), part >> 16], axis=1)
        self._memories.staging[lines] = halves.reshape(count, -1)

    def _pairs(self, address: int, number: int, count: int) -> slice:
        """``count`` lines of tile ``number`` of a part at ``address``; ADDRESS if it is odd."""
        require(address % 2 == 0, Fault.ADDRESS, f"a part at line {address}, which is odd")
        return self._memories.lines(address + number * count, count)

    def _earlier_part(self, command: Join, number: int, channels: int) -> Integers:
        count = 2 * channels
        lines = self._pairs(command.earlier_address, number, count)
        halves = self._memories.staging[lines].reshape(channels, 2, -1)
        return halves[:, 1] << 16 | halves[:, 0] & 0xFFFF

    def _join(self, task: Task, command: Join, number: int, sums: Integers, valid: Flags) -> None:
        memories, scale = self._memories, self._memories.scale(command.scale)
        written = valid if command.interleaved else np.ones_like(valid)
        line, place = self._places(command, number, written)
        target = _at(line, command.address, memories.lines)
        total = self._part(command, sums)
        if command.earlier is Earlier.PART:
            total = total + self._earlier_part(command, number, len(sums))
        total = total[:, written]
        if command.earlier is Earlier.STREAM:
            stream = memories.staging[_at(line, command.earlier_address, memories.lines), place]
            total = total + shift_saturate(stream, scale["stream_shift"], words.JOIN_BITS)
        if task.masked or command.totals:
            side = _at(line, command.side_address, memories.side_lines)
            total = total * memories.masks[side, place] if task.masked else total
        total = np.where(valid[written], total, 0)
        e = saturate(total, words.NARROW_BITS)
        if command.totals:
            x = sign_extend(memories.side[side, place], memories.side_bits)
            self._total(command, number, e, x)
        memories.raise_peak(command.peak, int(np.abs(total).max(initial=0)))
        memories.staging[target, place] = e

    def _places(self, command: Join, number: int, written: Flags) -> tuple[Integers, Integers]:
        """Line of the tensor, and place in it, of the pixels that are ``written``."""
        p = self.parameters
        if command.interleaved:
            block, place = interleaved(command, number, p.array.rows)
        else:
            block, place = np.full(p.array.rows, number), np.arange(p.array.rows)
        channels = np.arange(p.block.channels)[:, None]
        line = block[written] * p.block.channels + channels
        return line, np.broadcast_to(place[written], line.shape)


def _at(line: Integers, address: int, memory: Callable[[int, int], slice]) -> Integers:
    """``line`` of the tensor at ``address`` of the ``memory``; ADDRESS if one is beyond it."""
    if line.size:
        memory(address, int(line.max()) + 1)
    return address + line
