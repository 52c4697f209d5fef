"""Programs of the matrix engine: one matrix product as commands, blocks and the way back.

The operands are cut into tiles (M rows, N columns) and the depth into chunks (`host.blocking`).
In each *step* a group of row tiles meets a group of column blocks; what a half of a buffer holds
already is not loaded again. Sums over several chunks are added here, in int64.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from host.blocking import HALVES, plan, split
from hw.contract.layout import pack_matrix
from hw.contract.matrix_commands import Command, Load, Multiply, Side
from hw.contract.parameters import Parameters
from hw.contract.precision import Pass

Integers = NDArray[np.integer]


@dataclass
class Item:
    """A row tile or column block in a buffer; ``load`` is the command that must bring it there."""

    side: Side
    index: int
    address: int
    load: Load | None


@dataclass
class Work:
    """Multiplies that become possible once ``load`` is done (or at once)."""

    load: Load | None
    multiplies: list[Multiply] = field(default_factory=list)


class MatrixProgram:
    """``rows[R, D] @ columns[Q, D].T`` at ``bits`` on a machine of ``parameters``, from ``slot``.

    ``commands`` and ``blocks[n, block_bytes]`` go to the engine, which answers with ``beats``
    beats of results; `collect` makes the product of them. The slot must hold ``bits`` for the
    operands of ``pass_`` before the first command is decoded.

    Raises `ParameterError` for values outside their width.
    """

    def __init__(
        self,
        pass_: Pass,
        rows: Integers,
        columns: Integers,
        bits: tuple[int, int],
        parameters: Parameters,
        *,
        slot: int = 0,
    ) -> None:
        self.pass_, self.bits, self.parameters, self.slot = pass_, bits, parameters, slot
        self._result_shape = rows.shape[0], columns.shape[0]
        self._packed = {
            Side.ROWS: pack_matrix(rows, bits[0], pass_.row.signed, parameters),
            Side.COLUMNS: pack_matrix(columns, bits[1], pass_.column.signed, parameters),
        }
        self.blocking = plan(pass_, self._result_shape, rows.shape[1], bits, parameters)
        self._tiles: list[tuple[int, int]] = []
        self._blocks: list[NDArray[np.uint8]] = []
        steps = self._build()
        _couple(steps)
        self.commands = _in_stream_order(steps)
        self.blocks = np.concatenate(self._blocks)

    @property
    def beats(self) -> int:
        """Beats of results that the engine sends."""
        return len(self._tiles) * self.parameters.beats_per_tile

    def collect(self, beats: NDArray[np.int64]) -> NDArray[np.int64]:
        """The product ``[R, Q]`` from ``beats[beats, results_per_beat]``."""
        p = self.parameters
        m, n = p.array.rows, p.array.columns
        by_beat = beats.reshape(-1, p.beats_per_tile, m, p.column_clusters)
        tiles = by_beat.transpose(0, 2, 3, 1).reshape(-1, m, n)
        total = np.zeros((self.blocking.row_tiles, m, self.blocking.column_tiles, n), np.int64)
        for (row, column), tile in zip(self._tiles, tiles, strict=True):
            total[row, :, column] += tile
        height, width = self._result_shape
        return total.reshape(self.blocking.row_tiles * m, -1)[:height, :width]

    # -- building --------------------------------------------------------------------------

    def _build(self) -> list[list[Work]]:
        """The work of every step, in the order in which loads make it possible."""
        rows, columns = _Halves(self, Side.ROWS), _Halves(self, Side.COLUMNS)
        return [
            self._step(chunk, rows.place(chunk, row_group), columns.place(chunk, column_group))
            for chunk, row_group, column_group in self._groups()
        ]

    def _groups(self) -> Iterator[tuple[range, range, range]]:
        """(slices, row tiles, column blocks) of each step; neighbours share as much as possible."""
        cut = self.blocking
        blocks = -(-cut.column_tiles // self.parameters.column_tiles_per_block)
        for chunk in cut.chunks():
            column_groups = list(split(blocks, cut.column_group))
            for row_group in split(cut.row_tiles, cut.row_group):
                for column_group in column_groups:
                    yield chunk, row_group, column_group
                column_groups.reverse()

    def _step(self, chunk: range, rows: list[Item], columns: list[Item]) -> list[Work]:
        """Every pair once, as soon as both of its items are there; loads of both sides in turn."""
        present = [item for item in (*rows, *columns) if item.load is None]
        missing = [item for pair in zip_longest(rows, columns) for item in pair if item]
        works = [Work(None)]
        for item in present:
            works[0].multiplies += self._pairs(chunk, item, present[: present.index(item)])
        for item in missing:
            if item.load is None:
                continue
            self._queue_blocks(item, chunk)
            works.append(Work(item.load, self._pairs(chunk, item, present)))
            present.append(item)
        return works

    def _pairs(self, chunk: range, item: Item, others: Iterable[Item]) -> list[Multiply]:
        """Multiplies of ``item`` with those of the other side."""
        multiplies: list[Multiply] = []
        for other in others:
            if other.side is not item.side:
                row, column = (item, other) if item.side is Side.ROWS else (other, item)
                multiplies += self._multiplies(chunk, row, column)
        return multiplies

    def _multiplies(self, chunk: range, row: Item, block: Item) -> Iterator[Multiply]:
        """One for each column tile of the block."""
        per_block = self.parameters.column_tiles_per_block
        row_stride, column_stride = (self.parameters.digits(bits) for bits in self.bits)
        for tile in range(per_block):
            column = block.index * per_block + tile
            if column >= self.blocking.column_tiles:
                return
            self._tiles.append((row.index, column))
            yield Multiply(
                slot=self.slot,
                row_operand=self.pass_.row,
                column_operand=self.pass_.column,
                row_address=row.address,
                column_address=block.address + tile * len(chunk) * column_stride,
                slices=len(chunk),
                row_stride=row_stride,
                column_stride=column_stride,
                row_signed=self.pass_.row.signed,
                column_signed=self.pass_.column.signed,
            )

    def _queue_blocks(self, item: Item, chunk: range) -> None:
        blocks = self._packed[item.side][item.index, chunk.start : chunk.stop]
        self._blocks.append(blocks.reshape(-1, self.parameters.block_bytes))


class _Halves:
    """What the two halves of a buffer hold while a program is built."""

    def __init__(self, program: MatrixProgram, side: Side) -> None:
        self.side, self.slot = side, program.slot
        parameters = program.parameters
        buffers = parameters.buffers
        words = buffers.row_words if side is Side.ROWS else buffers.column_words
        self.half = words // HALVES
        self.operand = program.pass_.row if side is Side.ROWS else program.pass_.column
        self.digits = parameters.digits(program.bits[side])
        self.tiles = 1 if side is Side.ROWS else parameters.column_tiles_per_block
        self.held: list[tuple[range, range] | None] = [None] * HALVES
        self.latest = 0

    def place(self, chunk: range, group: range) -> list[Item]:
        """The items of ``group``; those that no half holds go into the half not in use."""
        held = (chunk, group) in self.held
        if held:
            self.latest = self.held.index((chunk, group))
        else:
            self.latest = 1 - self.latest
            self.held[self.latest] = chunk, group
        words = len(chunk) * self.digits
        base = self.latest * self.half
        addresses = [base + number * words * self.tiles for number in range(len(group))]
        return [
            Item(self.side, index, address, None if held else self._load(chunk, address))
            for index, address in zip(group, addresses, strict=True)
        ]

    def _load(self, chunk: range, address: int) -> Load:
        return Load(
            slot=self.slot,
            operand=self.operand,
            side=self.side,
            address=address,
            slices=len(chunk),
            slice_stride=self.digits,
            tile_stride=len(chunk) * self.digits if self.tiles > 1 else 0,
        )


def _couple(steps: list[list[Work]]) -> None:
    """Tokens, so that nothing is multiplied before it is there nor overwritten while in use.

    The first multiply that a load makes possible waits for that load; one that makes none
    possible yet is covered by the next, as loads are done in order. The first load of a step
    waits for the step before the last: what the last one uses is in the other halves.
    """
    for number, works in enumerate(steps):
        for work in works:
            if work.load and work.multiplies:
                work.load = replace(work.load, signal=True)
                work.multiplies[0] = replace(work.multiplies[0], wait=True)
        first = next((work for work in works if work.load), None)
        if first and first.load and number >= HALVES:
            first.load = replace(first.load, wait=True)
            freeing = next(work for work in reversed(steps[number - HALVES]) if work.multiplies)
            freeing.multiplies[-1] = replace(freeing.multiplies[-1], signal=True)


def _in_stream_order(steps: list[list[Work]]) -> list[Command]:
    """One stream, decoded in order: the loads of a step are spread over the multiplies of the
    step before it, so that they are under way in time and never far enough ahead to block.

    Loads keep their order among themselves, and so do multiplies: blocks and results rely on it.
    """
    commands: list[Command] = []
    for work in steps[0][:-1]:
        commands += [work.load] if work.load else []
        commands += work.multiplies
    last = steps[0][-1]
    commands += [last.load] if last.load else []
    multiplies = last.multiplies
    for ahead in [*steps[1:], []]:
        loads = [work.load for work in ahead if work.load]
        sent = 0
        for done, multiply in enumerate(multiplies, start=1):
            commands.append(multiply)
            due = len(loads) * done // len(multiplies)
            commands += loads[sent:due]
            sent = due
        multiplies = [multiply for work in ahead for multiply in work.multiplies]
    return commands
