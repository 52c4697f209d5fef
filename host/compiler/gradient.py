"""Gradients of weights as commands.

The array's rows are two pairs of (tap, group of input channels), its lanes four blocks of output
pixels, its columns a group of output channels. A tile is the sum over a chunk of images; over the
chunks it is summed in the gradient memory.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler.canonical import Canonical
from fractrain.host.compiler.gradient_plan import Cut, GradientPlan, Round
from fractrain.host.compiler.planning import Chunk, odd
from fractrain.host.compiler.results import TileRegion, Tiles, matrices
from fractrain.host.compiler.schedule import CommandBuilder
from fractrain.host.compiler.slices import (
    Pair,
    Rectangle,
    collapse,
    lane_groups,
    pair_count,
    rectangles,
)
from fractrain.host.compiler.tensors import PixelLayout
from fractrain.host.compiler.windows import Grid, Piece, merge, pair, pieces
from fractrain.host.compiler.work import Edges, PlacedTensor, Precisions, Rows, bring_rows
from fractrain.hw.contract.commands import Convolve, Format, Load, Memory, Pattern, Store
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.window import gradient_slot


class GradientWork:
    """The gradient of one step.

    ``regions``: one for each of ``image_groups``, equal parts of the images; their sums are added
    by the host; tiles in it are ordered ``[filter group][pair]``.
    """

    def __init__(
        self,
        parameters: Parameters,
        precisions: Precisions,
        grid: Grid,
        form: Canonical,
        rows: PlacedTensor,
        columns: PlacedTensor,
        image_groups: list[range],
        regions: list[TileRegion],
    ) -> None:
        self.parameters, self.precisions, self.grid = parameters, precisions, grid
        self.rows, self.columns, self.regions = rows, columns, regions
        assert isinstance(rows.layout, PixelLayout) and isinstance(columns.layout, PixelLayout)
        self.a, self.e = rows.layout, columns.layout
        self.plan = GradientPlan(parameters, grid, form, self.a, self.e, image_groups)
        self._patterns: dict[Hashable, tuple[Pattern, ...]] = {}

    def cut(self) -> Cut:
        """The plan's; `TooLarge` if nothing fits."""
        return self.plan.cut()

    # -- commands ------------------------------------------------------------------------------

    def emit(self, builder: CommandBuilder, rounds: Cut) -> None:
        for each, groups in rounds:
            for region, chunks in zip(self.regions, groups, strict=True):
                for number, chunk in enumerate(chunks):
                    for filters in each.filters:
                        ends = number == 0, number == len(chunks) - 1
                        self._batch(builder, each, region, chunk, filters, ends)

    def _batch(
        self,
        builder: CommandBuilder,
        round_: Round,
        region: TileRegion,
        chunk: Chunk,
        filters: int,
        ends: tuple[bool, bool],
    ) -> None:
        first, last = ends
        rows = self._rows(round_, chunk)
        shapes = rectangles(chunk, self.grid.output_columns)
        pairs = self.plan.pairs_in(round_.channels)
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
            before = pair_count(round_.channels.start, self.plan.kernel)
            store = region.store(store, filters * len(self.plan.pairs) + before)
        builder.store(store)
        for each in pairs:
            self._tile(builder, each, chunk, shapes, rows, address, column)

    def _tile(
        self,
        builder: CommandBuilder,
        entries: Pair,
        chunk: Chunk,
        shapes: list[Rectangle],
        rows: Rows,
        address: int,
        column: int,
    ) -> None:
        """The sum of one pair over the chunk: one command for each shape of slices."""
        digits, grid, width = self.e.digits, self.grid, self.a.width_blocks
        image_words = (rows.end - rows.first) * width
        base = address + (entries[0].group * self.plan.spread - rows.group) * rows.stride
        for number, shape in enumerate(shapes):
            start = (shape.row * grid.row_step - rows.first) * width
            start += shape.image * image_words + shape.column * grid.column_step
            command = Convolve(
                **self.precisions.header,
                row_signed=self.precisions.signed[0],
                column_signed=self.precisions.signed[1],
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
            first = max(0, chunk.row * step + self.plan.above)
            end = min(end, (chunk.row + chunk.rows - 1) * step + self.plan.below + 1)
        words = chunk.images * (end - first) * layout.width_blocks
        groups = len(round_.channels) * self.plan.spread
        start = round_.channels.start * self.plan.spread
        return Rows(chunk, first, end, start, groups, groups, odd(words))

    def _pattern(
        self, entries: Pair, shape: Rectangle, stride: int, image_words: int
    ) -> tuple[Pattern, ...]:
        """Reads of the window of one slice; those of other chunks are mostly the same."""
        rows, columns = (
            (shape.row, shape.down, shape.height),
            (shape.column, shape.beside, shape.width),
        )
        key = entries, shape.images, rows, columns, stride, image_words
        if key not in self._patterns:
            self._patterns[key] = self._new_pattern(entries, shape, stride, image_words)
        return self._patterns[key]

    def _new_pattern(
        self, entries: Pair, shape: Rectangle, stride: int, image_words: int
    ) -> tuple[Pattern, ...]:
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
                    slot = gradient_slot(half, block)
                    group, dy, dx = entry.source(self.plan.kernel, phased=self.plan.phased)
                    distance = (group - entries[0].group * self.plan.spread) * stride
                    distance += image * image_words
                    for piece in pieces(grid, dy, dx, row, column):
                        offset = distance + piece.row * self.a.width_blocks + piece.column
                        yield offset, edges.zero(piece), slot, piece

        return pair(merge(located()))

    # -- the errors ----------------------------------------------------------------------------

    def _bring_columns(
        self, builder: CommandBuilder, chunk: Chunk, shapes: list[Rectangle], filters: int
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
            precisions.key,
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

    def assemble(self, tiles: Tiles) -> NDArray[np.int64]:
        """``[filter, channel, ky, kx]`` (groups filled up) of a region's tiles."""
        p = self.parameters
        channels = p.block.channels
        shape = (self.e.groups, channels, self.plan.groups, channels, *self.plan.kernel)
        result = np.zeros(shape, np.int64)
        split = matrices(tiles).reshape(self.e.groups, len(self.plan.pairs), 2, channels, channels)
        for number, entries in enumerate(self.plan.pairs):
            for half, entry in enumerate(entries):
                if entry is not None:
                    part = split[:, number, half].swapaxes(1, 2)
                    result[:, :, entry.group, :, entry.ky, entry.kx] = part
        return result.reshape(
            self.e.groups * channels, self.plan.groups * channels, *self.plan.kernel
        )
