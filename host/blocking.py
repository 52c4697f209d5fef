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


ENOUGH_REUSE = 1.1
"""Passes for each cycle of loading; a tenth more than one leaves room for the bubbles of loads."""


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

    A word costs as many cycles to load as it has parts, and then lasts for one pass with every
    word of the same slice on the other side. So of the chunks of the depth that fit, the longest
    is taken for which both groups have more words per slice than a word has parts (or else the
    one that comes nearest), as even as can be; a tile's passes should outlast its results.
    """
    array, buffers = parameters.array, parameters.buffers
    digits = [parameters.digits(each) for each in bits]
    slices = -(-depth // array.lanes)
    tiles = 1, parameters.column_tiles_per_block
    halves = buffers.row_words // HALVES, buffers.column_words // HALVES

    def groups(chunk: int) -> list[int]:
        """Row tiles and column blocks that fit into half a buffer."""
        return [
            min(half // (chunk * width * count), MOST_TILES)
            for half, width, count in zip(halves, digits, tiles, strict=True)
        ]

    def reuse(chunk: int) -> float:
        """Passes that a loaded word lasts for, over the cycles that it costs."""
        words = (g * w * t for g, w, t in zip(groups(chunk), digits, tiles, strict=True))
        return min(words) / (array.spatial_bits * parameters.lane_groups)

    longest = min(slices, exact_slices(pass_, bits, parameters))
    fitting = [chunk for chunk in range(longest, 0, -1) if min(groups(chunk)) > 0]
    outlasting = min(fitting[0], -(-parameters.beats_per_tile // (digits[0] * digits[1])))
    fitting = [chunk for chunk in fitting if chunk >= outlasting]
    best = max(fitting, key=lambda chunk: (min(reuse(chunk), ENOUGH_REUSE), chunk))
    chunk = -(-slices // -(-slices // best))
    row_group, column_group = groups(chunk)
    return Blocking(
        row_tiles=-(-result_shape[0] // array.rows),
        column_tiles=-(-result_shape[1] // array.columns),
        slices=slices,
        chunk_slices=chunk,
        row_group=row_group,
        column_group=column_group,
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
