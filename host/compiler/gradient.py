"""Gradients of weights as commands.

The array's rows are two pairs of (tap, group of input channels), its lanes four blocks of output
pixels, its columns a group of output channels. A tile is the sum over a chunk of images; over the
chunks it is summed in the gradient memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from host.compiler.canonical import PARITIES, Canonical
from host.compiler.planning import (
    ENOUGH_PASSES,
    MOST_IMAGES,
    MOST_RUN,
    MOST_STRIDE,
    MOST_TILES_X,
    MOST_TILES_Y,
    Chunk,
    TooLarge,
    odd,
    strips,
    whole_images,
)
from host.compiler.results import TileRegion
from host.compiler.schedule import Builder
from host.compiler.slices import (
    BLOCKS,
    Pair,
    Rectangle,
    collapse,
    lane_groups,
    pairs_of,
    rectangles,
)
from host.compiler.tensors import PixelLayout
from host.compiler.windows import Grid, Piece, merge, pair, pieces
from host.compiler.work import (
    Edges,
    Precisions,
    Rows,
    Tensor,
    bring_rows,
    limit_column_words,
    limit_plane_words,
)
from hw.contract.commands import Convolve, Format, Load, Memory, Pattern, Store
from hw.contract.parameters import Parameters

TILE_PASSES = 256
"""Passes that a tile should have in a chunk, so that its results leave behind the next one's."""


@dataclass(frozen=True)
class Round:
    """Tiles that are in the gradient memory at the same time."""

    channels: range
    filters: range


class GradientWork:
    """The gradient of one step.

    ``regions``: one for each of ``image_groups``, equal parts of the images whose sums are added
    by the host; tiles in it are ordered ``[filter group][pair]``.
    """

    def __init__(
        self,
        parameters: Parameters,
        precisions: Precisions,
        grid: Grid,
        form: Canonical,
        rows: Tensor,
        columns: Tensor,
        image_groups: list[range],
        regions: list[TileRegion],
    ) -> None:
        self.parameters, self.precisions, self.grid = parameters, precisions, grid
        self.kernel, self.phased = form.kernel, form.phased
        self.rows, self.columns = rows, columns
        self.image_groups, self.regions = image_groups, regions
        assert isinstance(rows.layout, PixelLayout) and isinstance(columns.layout, PixelLayout)
        self.a, self.e = rows.layout, columns.layout
        self.spread = PARITIES if form.phased else 1
        self.groups = self.a.groups // self.spread
        self.pairs = self._pairs(range(self.groups))
        self._above, self._below = self._reach()

    def _reach(self) -> tuple[int, int]:
        """Rows of input blocks that the block of outputs in row 0 reads, first and last."""
        rows = [
            piece.row
            for entry in pairs_of(range(1), self.kernel, 1)
            for half in entry
            if half is not None
            for _, dy, dx in [half.source(self.kernel, phased=self.phased)]
            for piece in pieces(self.grid, dy, dx)
        ]
        return min(rows), max(rows)

    def _pairs(self, groups: range) -> list[Pair]:
        return pairs_of(groups, self.kernel, 2 if self.phased else self.grid.stride)

    # -- planning ------------------------------------------------------------------------------

    def cut(self) -> list[tuple[Round, list[list[Chunk]]]]:
        """Rounds, and the chunks of each group of images; `TooLarge` if nothing fits."""
        if self.grid.output_columns > MOST_TILES_X * BLOCKS:
            raise TooLarge
        for shared in (True, False):
            best: tuple[int, int, list[list[Chunk]]] | None = None
            for size in self._group_sizes():
                chunks = self._chunks(size, shared=shared)
                filters = self._filters(size)
                if chunks is None or filters < 1:
                    continue
                cost = self._traffic(size, filters)
                if best is None or cost < best[0]:
                    best = cost, size, chunks
            if best is not None:
                _, size, chunks = best
                return [(each, chunks) for each in self._rounds(size, self._filters(size))]
        raise TooLarge

    def _group_sizes(self) -> list[int]:
        """Numbers of groups of input channels that may be summed at once: pairs stay together."""
        groups = self.groups
        return [size for size in range(groups, 0, -1) if size == groups or size % 2 == 0]

    def _filters(self, size: int) -> int:
        """Groups of filters whose tiles fit into the gradient memory with ``size`` groups."""
        sums = self.parameters.buffers.gradient_words // self.parameters.beats_per_tile
        return min(sums // len(self._pairs(range(size))), self.e.groups)

    def _traffic(self, size: int, filters: int) -> int:
        """Words read in all rounds."""
        rounds = -(-self.groups // size), -(-self.e.groups // filters)
        return rounds[1] * self.a.words + rounds[0] * self.e.words

    def _rounds(self, size: int, filters: int) -> Iterator[Round]:
        count = -(-self.e.groups // filters)
        even = -(-self.e.groups // count)
        for channel in range(0, self.groups, size):
            for first in range(0, self.e.groups, even):
                yield Round(
                    range(channel, min(channel + size, self.groups)),
                    range(first, min(first + even, self.e.groups)),
                )

    def _chunks(self, size: int, *, shared: bool) -> list[list[Chunk]] | None:
        """Chunks with ``size`` groups of input channels, for each group of images."""
        planes = limit_plane_words(self.parameters, shared=shared)
        slices = limit_column_words(self.parameters, shared=shared) // self.e.digits
        stored = size * self.spread
        most = min(planes // (stored * self.a.digits), MOST_STRIDE // stored) - 1
        rows, columns = self.e.block_rows, self.grid.output_columns
        images = min(most // self.a.blocks, MOST_IMAGES, self.a.images)
        while images > 0 and self._slices(Chunk(0, images, 0, rows, True)) > slices:
            images -= 1
        fits = max(self.a.blocks, self.e.blocks) <= MOST_RUN and rows <= MOST_TILES_Y
        if images > 0 and fits:
            images = self._useful(images)
            step = max(1, BLOCKS // self.e.blocks)
            return [
                [
                    replace(each, image=each.image + group.start)
                    for each in whole_images(len(group), images, rows, step)
                ]
                for group in self.image_groups
            ]
        height = rows
        while height and (
            self._slices(Chunk(0, 1, 0, height, False)) > slices
            or self._input_rows(height) * self.a.width_blocks > min(most, MOST_RUN)
            or height > MOST_TILES_Y
        ):
            height -= 1
        if not height:
            return None
        step = max(1, BLOCKS // columns)
        return [
            [
                replace(each, image=each.image + group.start)
                for each in strips(len(group), height, rows, step)
            ]
            for group in self.image_groups
        ]

    def _slices(self, chunk: Chunk) -> int:
        return sum(each.slices for each in rectangles(chunk, self.grid.output_columns))

    def _input_rows(self, height: int) -> int:
        return (height - 1) * self.grid.row_step + self._below - self._above + 1

    def _useful(self, images: int) -> int:
        """The fewest images that give a tile and a batch enough passes."""
        digits = self.a.digits * self.e.digits
        for count in range(1, images):
            passes = self._slices(Chunk(0, count, 0, self.e.block_rows, True)) * digits
            if passes >= TILE_PASSES and passes * len(self.pairs) >= ENOUGH_PASSES:
                together = max(1, BLOCKS // self.e.blocks)
                return min(images, -(-count // together) * together)
        return images

    # -- commands ------------------------------------------------------------------------------

    def emit(self, builder: Builder, rounds: list[tuple[Round, list[list[Chunk]]]]) -> None:
        for each, groups in rounds:
            for region, chunks in zip(self.regions, groups, strict=True):
                for number, chunk in enumerate(chunks):
                    for filters in each.filters:
                        ends = number == 0, number == len(chunks) - 1
                        self._batch(builder, each, region, chunk, filters, ends)

    def _batch(
        self,
        builder: Builder,
        round_: Round,
        region: TileRegion,
        chunk: Chunk,
        filters: int,
        ends: tuple[bool, bool],
    ) -> None:
        first, last = ends
        rows = self._rows(round_, chunk)
        shapes = rectangles(chunk, self.grid.output_columns)
        pairs = self._pairs(round_.channels)
        builder.begin()
        address = bring_rows(builder, self.precisions, self.rows, rows)
        column = self._bring_columns(builder, chunk, shapes, filters)
        number = filters - round_.filters.start
        beats = self.parameters.beats_per_tile
        store = Store(
            **self.precisions.header,
            format=Format.NONE,
            images=len(pairs),
            add=not first,
            keep=not last,
            gradient_address=number * len(pairs) * beats,
        )
        if last:
            before = len(self._pairs(range(round_.channels.start)))
            store = region.store(store, filters * len(self.pairs) + before)
        builder.store(store)
        for each in pairs:
            self._tile(builder, each, chunk, shapes, rows, address, column)

    def _tile(
        self,
        builder: Builder,
        entries: Pair,
        chunk: Chunk,
        shapes: list[Rectangle],
        rows: Rows,
        address: int,
        column: int,
    ) -> None:
        """One pair's sum over the chunk: a command for each shape of slices."""
        digits, grid, width = self.e.digits, self.grid, self.a.width_blocks
        image_words = (rows.end - rows.first) * width
        base = address + (entries[0].group * self.spread - rows.group) * rows.stride
        for number, shape in enumerate(shapes):
            start = (shape.row * grid.row_step - rows.first) * width
            start += shape.image * image_words + shape.column * grid.column_step
            command = Convolve(
                **self.precisions.header,
                row_signed=self.precisions.operand.signed,
                column_signed=self.precisions.partner.signed,
                pattern=0,
                pairs=0,
                address=base + start,
                column_address=column,
                groups=(1 << (2 * shape.blocks)) - 1,
                tiles_x=shape.beside,
                tiles_y=shape.down,
                images=shape.slots,
                digit_stride=rows.room * rows.stride,
                x_stride=shape.width * grid.column_step,
                y_stride=shape.height * grid.row_step * width,
                image_stride=shape.images * image_words,
                column_slice_stride=digits,
                row_pixels=grid.row_pixels,
                top_edge=shape.row == 0,
                gradient=True,
                reduce=True,
                start=number == 0,
                finish=number == len(shapes) - 1,
            )
            pattern = self._pattern(entries, shape, rows.stride, image_words)
            builder.convolve(command, pattern, self.a.digits * digits)
            column += shape.slices * digits

    def _rows(self, round_: Round, chunk: Chunk) -> Rows:
        layout, step = self.a, self.grid.row_step
        first, end = 0, layout.block_rows
        if not chunk.whole:
            first = max(0, chunk.row * step + self._above)
            end = min(end, (chunk.row + chunk.rows - 1) * step + self._below + 1)
        words = chunk.images * (end - first) * layout.width_blocks
        groups = len(round_.channels) * self.spread
        start = round_.channels.start * self.spread
        return Rows(chunk, first, end, start, groups, groups, odd(words))

    def _pattern(
        self, entries: Pair, shape: Rectangle, stride: int, image_words: int
    ) -> tuple[Pattern, ...]:
        """Reads of the window of one slice."""
        grid = self.grid
        edges = Edges(
            grid,
            self.a.block_rows,
            (shape.row + (shape.down - 1) * shape.height) * grid.row_step,
            (shape.column + (shape.beside - 1) * shape.width) * grid.column_step,
            at_left=shape.column == 0,
        )

        def located() -> Iterator[tuple[int, int, int, Piece]]:
            for block in range(shape.blocks):
                image, place = divmod(block, shape.height * shape.width)
                row, column = divmod(place, shape.width)
                for half, entry in enumerate(entries):
                    if entry is None:
                        continue
                    slot = 3 * block + half if block < 3 else 2 + 3 * half
                    group, dy, dx = entry.source(self.kernel, phased=self.phased)
                    distance = (group - entries[0].group * self.spread) * stride
                    distance += image * image_words
                    for piece in pieces(grid, dy, dx, row, column):
                        offset = distance + piece.row * self.a.width_blocks + piece.column
                        yield offset, edges.zero(piece), slot, piece

        return pair(merge(located()))

    # -- the errors ----------------------------------------------------------------------------

    def _bring_columns(
        self, builder: Builder, chunk: Chunk, shapes: list[Rectangle], filters: int
    ) -> int:
        digits = self.e.digits

        def loads(address: int) -> list[Load]:
            found = []
            for shape in shapes:
                found += list(self._loads(chunk, shape, filters, address))
                address += shape.slices * digits
            return found

        precisions = self.precisions
        key = (
            self.columns.key,
            precisions.slot,
            precisions.operand,
            precisions.partner,
            (chunk, filters),
        )
        words = digits * sum(shape.slices for shape in shapes)
        written = self.columns.written_by(chunk.image, chunk.images)
        return builder.columns(key, words, loads, digits, written)

    def _loads(
        self, chunk: Chunk, shape: Rectangle, filters: int, destination: int
    ) -> Iterator[Load]:
        """The errors of a rectangle: each slice is a column word, each block two lane groups."""
        e, digits = self.e, self.e.digits
        width = e.width_blocks
        parts, blocks = shape.images, shape.height * shape.width
        if blocks == e.blocks:  # the slice's images lie one behind the other
            parts, blocks = 1, shape.blocks
        # (count, blocks in memory, slices on the chip) from the inside out
        loops = collapse(
            [
                (shape.beside, shape.width, 1),
                (shape.down, shape.height * width, shape.beside),
                (shape.slots, shape.images * e.blocks, shape.down * shape.beside),
            ]
        )
        longest = max(loops)
        loops.remove(longest)
        runs, run_stride, slice_stride = longest
        start = e.word(filters, chunk.image + shape.image, shape.row * width + shape.column)
        for part in range(parts):
            for index in np.ndindex(*(count for count, _, _ in loops)):
                block = start + part * e.blocks
                number = 0
                for step, (_, blocks_on, slices_on) in zip(index, loops, strict=True):
                    block += step * blocks_on
                    number += step * slices_on
                yield Load(
                    **self.precisions.column_header,
                    memory=Memory.COLUMNS,
                    address=self.columns.address + self.parameters.word_bytes * block,
                    digit_stride=e.digit_stride,
                    run_stride=run_stride,
                    runs=runs,
                    words=blocks,
                    destination=destination + number * digits,
                    destination_digit_stride=1,
                    destination_run_stride=slice_stride * digits,
                    groups=lane_groups(2 * part * blocks, 2 * blocks),
                    transposed=True,
                )

    # -- results -------------------------------------------------------------------------------

    def assemble(self, tiles: NDArray[np.int64]) -> NDArray[np.int64]:
        """``[filter, channel, ky, kx]`` (groups filled up) of a region's tiles."""
        p = self.parameters
        channels = p.block.channels
        shape = (self.e.groups, channels, self.groups, channels, *self.kernel)
        result = np.zeros(shape, np.int64)
        split = tiles.reshape(self.e.groups, len(self.pairs), 2, channels, channels)
        for number, entries in enumerate(self.pairs):
            for half, entry in enumerate(entries):
                if entry is not None:
                    part = split[:, number, half].swapaxes(1, 2)
                    result[:, :, entry.group, :, entry.ky, entry.kx] = part
        return result.reshape(self.e.groups * channels, self.groups * channels, *self.kernel)
