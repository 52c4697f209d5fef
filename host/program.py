"""Programs of the matrix engine: one matrix product as commands, blocks and the way back.

The operands are cut into tiles (M rows, N columns) and the depth into *chunks* that fit the
buffers. Each buffer is used as two halves: while the array multiplies what is in one, the fetch
stage fills the other. What a half holds is used against everything that the other side has, so a
word that was loaded once serves many tiles. Sums over several chunks are added here, in int64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hw.contract.commands import Command, Load, Multiply, Side
from hw.contract.errors import ParameterError
from hw.contract.layout import pack_matrix
from hw.contract.parameters import Parameters
from hw.contract.precision import Pass, value_range

Integers = NDArray[np.integer]
Block = NDArray[np.uint8]

HALVES = 2


@dataclass(frozen=True)
class Shape:
    """A product's sizes in the machine's units, and how it is cut to fit the buffers."""

    row_tiles: int
    column_tiles: int
    slices: int
    chunk_slices: int
    row_group: int
    """Row tiles in one half of the row buffer."""
    column_group: int
    """Column blocks (M / N column tiles each) in one half of the column buffer."""


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
        self.shape = plan(pass_, self._result_shape, rows.shape[1], bits, parameters)
        self.commands: list[Command] = []
        self._tiles: list[tuple[int, int]] = []
        self._blocks: list[Block] = []
        self._build()
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
        total = np.zeros((self.shape.row_tiles, m, self.shape.column_tiles, n), np.int64)
        for (row, column), tile in zip(self._tiles, tiles, strict=True):
            total[row, :, column] += tile
        height, width = self._result_shape
        return total.reshape(self.shape.row_tiles * m, -1)[:height, :width]

    # -- building --------------------------------------------------------------------------

    def _build(self) -> None:
        """Step by step: load the groups that are missing, then multiply all pairs of them.

        The loads of a step stand before the multiplies of the step ahead of it, so that they are
        under way while the array is busy with those.
        """
        rows = _Halves(self, Side.ROWS)
        columns = _Halves(self, Side.COLUMNS)
        steps: list[tuple[list[Load], list[Multiply]]] = []
        for chunk, row_group, column_group in self._steps():
            loads: list[Load] = []
            row_base = rows.place(chunk, row_group, loads)
            column_base = columns.place(chunk, column_group, loads)
            steps.append(
                (loads, self._pairs(chunk, row_group, row_base, column_group, column_base))
            )
        _couple(steps)
        pending: list[Multiply] = []
        for loads, multiplies in steps:
            self.commands += [*loads, *pending]
            pending = multiplies
        self.commands += pending

    def _steps(self) -> Iterator[tuple[range, range, range]]:
        """(slices, row tiles, column blocks) of each step; neighbours share as much as possible."""
        s = self.shape
        blocks = -(-s.column_tiles // self.parameters.column_tiles_per_block)
        for chunk in _split(s.slices, s.chunk_slices):
            column_groups = list(_split(blocks, s.column_group))
            for row_group in _split(s.row_tiles, s.row_group):
                for column_group in column_groups:
                    yield chunk, row_group, column_group
                column_groups.reverse()

    def _pairs(
        self, chunk: range, rows: range, row_base: int, columns: range, column_base: int
    ) -> list[Multiply]:
        per_block = self.parameters.column_tiles_per_block
        row_stride, column_stride = (self.parameters.digits(bits) for bits in self.bits)
        row_words, column_words = len(chunk) * row_stride, len(chunk) * column_stride
        multiplies = []
        for r, row in enumerate(rows):
            for c in range(len(columns) * per_block):
                column = columns.start * per_block + c
                if column >= self.shape.column_tiles:
                    continue
                self._tiles.append((row, column))
                multiplies.append(
                    Multiply(
                        slot=self.slot,
                        row_operand=self.pass_.row,
                        column_operand=self.pass_.column,
                        row_address=row_base + r * row_words,
                        column_address=column_base + c * column_words,
                        slices=len(chunk),
                        row_stride=row_stride,
                        column_stride=column_stride,
                        row_signed=self.pass_.row.signed,
                        column_signed=self.pass_.column.signed,
                    )
                )
        return multiplies

    def load(self, side: Side, chunk: range, item: int, address: int) -> Load:
        """The command that loads tile (or column block) ``item``; its blocks are queued too."""
        digits = self.parameters.digits(self.bits[side])
        blocks = self._packed[side][item, chunk.start : chunk.stop]
        self._blocks.append(blocks.reshape(-1, self.parameters.block_bytes))
        return Load(
            slot=self.slot,
            operand=self.pass_.row if side is Side.ROWS else self.pass_.column,
            side=side,
            address=address,
            slices=len(chunk),
            slice_stride=digits,
            tile_stride=len(chunk) * digits if side is Side.COLUMNS else 0,
        )


class _Halves:
    """What the two halves of a buffer hold while a program is built."""

    def __init__(self, program: MatrixProgram, side: Side) -> None:
        self.program, self.side = program, side
        buffers = program.parameters.buffers
        words = buffers.row_words if side is Side.ROWS else buffers.column_words
        self.half = words // HALVES
        self.held: list[tuple[range, range] | None] = [None] * HALVES
        self.latest = 0

    def place(self, chunk: range, group: range, loads: list[Load]) -> int:
        """Address of ``group``; if no half holds it, adds its loads, into the half not in use."""
        if (chunk, group) in self.held:
            self.latest = self.held.index((chunk, group))
        else:
            self.latest = 1 - self.latest
            self.held[self.latest] = chunk, group
            words = len(chunk) * self.program.parameters.digits(self.program.bits[self.side])
            if self.side is Side.COLUMNS:
                words *= self.program.parameters.column_tiles_per_block
            base = self.latest * self.half
            loads += [
                self.program.load(self.side, chunk, item, base + index * words)
                for index, item in enumerate(group)
            ]
        return self.latest * self.half


def _couple(steps: list[tuple[list[Load], list[Multiply]]]) -> None:
    """Tokens: a step multiplies when its loads are done, and its loads wait for the step before
    the last: what the last one uses is in the other halves."""
    for index, (loads, multiplies) in enumerate(steps):
        if not loads:
            continue
        loads[-1] = replace(loads[-1], signal=True)
        multiplies[0] = replace(multiplies[0], wait=True)
        if index >= HALVES:
            loads[0] = replace(loads[0], wait=True)
            freeing = steps[index - HALVES][1]
            freeing[-1] = replace(freeing[-1], signal=True)


def plan(
    pass_: Pass,
    result_shape: tuple[int, int],
    depth: int,
    bits: tuple[int, int],
    parameters: Parameters,
) -> Shape:
    """Cut a product so that each half of a buffer holds whole groups of tiles.

    The depth is cut only if a single tile does not fit, or if its sum might leave the
    accumulators.
    """
    array, buffers = parameters.array, parameters.buffers
    per_block = parameters.column_tiles_per_block
    row_digits, column_digits = (parameters.digits(each) for each in bits)
    slices = -(-depth // array.lanes)
    chunk = min(
        slices,
        buffers.row_words // HALVES // row_digits,
        buffers.column_words // HALVES // (column_digits * per_block),
        _exact_slices(pass_, bits, parameters),
    )
    return Shape(
        row_tiles=-(-result_shape[0] // array.rows),
        column_tiles=-(-result_shape[1] // array.columns),
        slices=slices,
        chunk_slices=chunk,
        row_group=buffers.row_words // HALVES // (chunk * row_digits),
        column_group=buffers.column_words // HALVES // (chunk * column_digits * per_block),
    )


def _exact_slices(pass_: Pass, bits: tuple[int, int], parameters: Parameters) -> int:
    """Slices whose sum fits the accumulators whatever the values are.

    With ``spatial_bits`` > 1 accumulators hold a multiple of the sum: operands count as padded to
    whole digits.
    """
    spatial = parameters.array.spatial_bits
    padded = [parameters.digits(each) * spatial for each in bits]
    row = value_range(padded[0], pass_.row.signed)
    column = value_range(padded[1], pass_.column.signed)
    largest = max(abs(r * c) for r in row for c in column) * parameters.array.lanes
    slices = ((1 << (parameters.precision.accumulator_bits - 1)) - 1) // largest
    if slices < 1:
        raise ParameterError("bits", bits, "sums of one slice within precision.accumulator_bits")
    return slices


def _split(count: int, size: int) -> Iterator[range]:
    for start in range(0, count, size):
        yield range(start, min(start + size, count))
