"""How a matrix product is cut to fit the operand buffers, so that loads hide behind multiplies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hw.contract.errors import ParameterError
from hw.contract.parameters import Parameters
from hw.contract.precision import Pass, value_range

HALVES = 2
"""Each buffer is used as two halves: one is filled while the array multiplies from the other."""

MOST_TILES = 100
"""Tiles of a group, at most: the tokens of two groups' loads stay below `TOKEN_LIMIT`."""


@dataclass(frozen=True)
class Blocking:
    """A product's sizes in the machine's units, and how it is cut.

    ``row_group`` row tiles and ``column_group`` column blocks (M / N column tiles each), of
    ``chunk_slices`` slices, fill half a buffer at most.
    """

    row_tiles: int
    column_tiles: int
    slices: int
    chunk_slices: int
    row_group: int
    column_group: int

    def chunks(self) -> Iterator[range]:
        """The slices of each chunk."""
        return split(self.slices, self.chunk_slices)


def plan(
    pass_: Pass,
    result_shape: tuple[int, int],
    depth: int,
    bits: tuple[int, int],
    parameters: Parameters,
) -> Blocking:
    """Cut a product of ``result_shape`` and ``depth`` at ``bits``.

    While a group of row tiles stays, each word of the column buffer costs as many cycles to load
    as it has parts and lasts for one pass with every word of the row group. So a chunk of the
    depth is short enough for a row group with a tenth more words (per slice) than a word has
    parts, long enough that a tile's passes outlast its results, and as even as can be.
    """
    array, buffers = parameters.array, parameters.buffers
    per_block = parameters.column_tiles_per_block
    row_digits, column_digits = (parameters.digits(each) for each in bits)
    row_half, column_half = buffers.row_words // HALVES, buffers.column_words // HALVES
    slices = -(-depth // array.lanes)
    parts = array.spatial_bits * parameters.lane_groups
    fits = min(
        row_half // row_digits,
        column_half // (column_digits * per_block),
        exact_slices(pass_, bits, parameters),
    )
    balanced = min(row_half, column_half // per_block) * 10 // (11 * parts)
    outlasting = -(-parameters.beats_per_tile // (row_digits * column_digits))
    longest = min(fits, max(balanced, outlasting, 1))
    chunk = -(-slices // -(-slices // longest))
    return Blocking(
        row_tiles=-(-result_shape[0] // array.rows),
        column_tiles=-(-result_shape[1] // array.columns),
        slices=slices,
        chunk_slices=chunk,
        row_group=min(row_half // (chunk * row_digits), MOST_TILES),
        column_group=min(column_half // (chunk * column_digits * per_block), MOST_TILES),
    )


def exact_slices(pass_: Pass, bits: tuple[int, int], parameters: Parameters) -> int:
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


def split(count: int, size: int) -> Iterator[range]:
    """``range(count)`` in pieces of ``size``."""
    for start in range(0, count, size):
        yield range(start, min(start + size, count))
