"""Sliding windows as commands: chunk by chunk, one CONVOLVE and one STORE per group of outputs."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace

from fractrain.host.compiler.planning import (
    ENOUGH_PASSES,
    MOST_IMAGES,
    MOST_RUN,
    MOST_SLICES,
    MOST_STRIDE,
    MOST_TILES_X,
    MOST_TILES_Y,
    Chunk,
    TooLarge,
    odd,
    strips,
    warm_up,
    whole_images,
)
from fractrain.host.compiler.results import Planes, TileGrid, TileRegion
from fractrain.host.compiler.schedule import CommandBuilder
from fractrain.host.compiler.sliding import Sliding
from fractrain.host.compiler.tensors import KernelLayout, PixelLayout
from fractrain.host.compiler.windows import Grid, Piece, merge, pair, pieces
from fractrain.host.compiler.work import (
    Edges,
    PlacedTensor,
    Precisions,
    Rows,
    bring_rows,
    limit_column_words,
    limit_plane_words,
)
from fractrain.hw.contract.commands import Convolve, Format, Load, Memory, Pattern, Store
from fractrain.hw.contract.parameters import Parameters


@dataclass(frozen=True)
class Output:
    """The place of one sliding's tiles: raw in ``region``, or narrowed in ``tensor``."""

    tiles: TileGrid
    region: TileRegion | None = None
    tensor: PlacedTensor | None = None
    narrowing: Planes | None = None


@dataclass(frozen=True)
class Cut:
    """How the work is cut: into ``parts`` of the slices, one after the other, and chunks of
    images."""

    parts: int
    chunks: list[Chunk]


class SlidingWork:
    """All slidings of one step over the same tensor, with one set of chunks."""

    def __init__(
        self,
        parameters: Parameters,
        precisions: Precisions,
        grid: Grid,
        rows: PlacedTensor,
        kernels: PlacedTensor,
        runs: list[tuple[Sliding, Output]],
    ) -> None:
        self.parameters, self.precisions, self.grid = parameters, precisions, grid
        self.rows, self.kernels, self.runs = rows, kernels, runs
        self._known_patterns: dict[Hashable, tuple[Pattern, ...]] = {}
        assert isinstance(rows.layout, PixelLayout) and isinstance(kernels.layout, KernelLayout)
        self.layout, self.kernel_layout = rows.layout, kernels.layout
        self.pieces = {
            sliding: [
                (each, piece)
                for tap in sliding.taps
                for each in [tap.window]
                for piece in pieces(grid, each.dy, each.dx)
            ]
            for sliding, _ in runs
        }
        every = [piece.row for found in self.pieces.values() for _, piece in found]
        self._above, self._below = min(every), max(every)

    # -- planning ------------------------------------------------------------------------------

    def cut(self) -> Cut:
        """The plan; raises `TooLarge` if not even one row of tiles fits."""
        if self.grid.output_columns > MOST_TILES_X:
            raise TooLarge
        slices = max(sliding.slices for sliding, _ in self.runs)
        for shared in (True, False):
            for parts in range(-(-slices // MOST_SLICES), slices + 1):
                if self._columns(parts) <= limit_column_words(self.parameters, shared=shared):
                    chunks = self._chunks(parts, limit_plane_words(self.parameters, shared=shared))
                    if chunks:
                        return Cut(parts, chunks)
        raise TooLarge

    def _columns(self, parts: int) -> int:
        """Words of the column memory for one part of the slices."""
        return max(-(-s.slices // parts) for s, _ in self.runs) * self.kernel_layout.digits

    def _room(self, parts: int) -> int:
        """Groups of channels in one part of the slices."""
        return max(-(-s.slices // parts) * s.groups_per_slice for s, _ in self.runs)

    def _chunks(self, parts: int, limit: int) -> list[Chunk]:
        """Chunks that need at most ``limit`` words each; none if that is impossible."""
        layout, room = self.layout, self._room(parts)
        most = min(limit // (room * layout.digits), MOST_STRIDE // room)
        rows = max(output.tiles.rows for _, output in self.runs)
        tiles = max(output.tiles.rows * output.tiles.columns for _, output in self.runs)
        sums = self.parameters.buffers.gradient_words // self.parameters.beats_per_tile
        images = min((most - 1) // layout.blocks, layout.images, MOST_IMAGES)
        if parts > 1:
            images = min(images, sums // tiles)
        if images >= 1 and rows <= MOST_TILES_Y and layout.blocks <= MOST_RUN:
            return list(whole_images(layout.images, self._useful(images, tiles, parts), rows))
        height = (most - 1) // layout.width_blocks - (self._below - self._above + 1)
        height = min(height // self.grid.row_step + 1 if height >= 0 else 0, MOST_TILES_Y)
        height = min(height, MOST_RUN // layout.width_blocks // self.grid.row_step - 2)
        if parts > 1:
            height = min(height, sums // self.grid.output_columns)
        return list(strips(layout.images, height, rows)) if height >= 1 else []

    def _useful(self, images: int, tiles: int, parts: int) -> int:
        """No more images than needed, if the weights stay on the chip from chunk to chunk."""
        sliding, output = self.runs[0]
        digits = self.kernel_layout.digits
        weights = sum(s.slices * o.tiles.groups for s, o in self.runs) * digits
        if parts > 1 or weights > self.parameters.buffers.column_words:
            return images
        passes = tiles * sliding.slices * self.layout.digits * digits
        return min(images, -(-ENOUGH_PASSES // passes))

    # -- commands ------------------------------------------------------------------------------

    def emit(self, builder: CommandBuilder, cut: Cut) -> None:
        starting = not builder.batches and cut.parts == 1
        for chunk in warm_up(cut.chunks) if starting else cut.chunks:
            for sliding, output in self.runs:
                here = self._clip(chunk, output)
                if here is None:
                    continue
                for group in range(output.tiles.groups):
                    for part in range(cut.parts):
                        self._batch(builder, cut, (chunk, here), sliding, output, (group, part))

    def _clip(self, chunk: Chunk, output: Output) -> Chunk | None:
        """The rows of tiles of ``chunk`` that ``output`` has."""
        rows = min(chunk.row + chunk.rows, output.tiles.rows) - chunk.row
        return replace(chunk, rows=rows) if rows > 0 else None

    def _batch(
        self,
        builder: CommandBuilder,
        cut: Cut,
        chunks: tuple[Chunk, Chunk],
        sliding: Sliding,
        output: Output,
        which: tuple[int, int],
    ) -> None:
        (loaded, chunk), (group, part) = chunks, which
        per_part = -(-sliding.slices // cut.parts)
        first = part * per_part
        count = min(per_part, sliding.slices - first)
        if count < 1:
            return
        last = first + count == sliding.slices
        rows = self._rows(loaded, cut.parts, first * sliding.groups_per_slice)
        builder.begin()
        address = bring_rows(builder, self.precisions, self.rows, rows)
        column_address = self._bring_columns(builder, sliding, group, first, count)
        store = self._store(output, chunk, group)
        if cut.parts > 1:
            store = replace(store, add=part > 0, keep=not last)
        if last:
            store = self._destination(builder, output, store, chunk, group)
        builder.store(store)
        layout, grid = self.layout, self.grid
        start = chunk.row * grid.row_step - rows.first
        command = Convolve(
            **self.precisions.header,
            row_signed=self.precisions.signed[0],
            column_signed=self.precisions.signed[1],
            pattern=0,
            pairs=0,
            address=address + start * layout.width_blocks,
            column_address=column_address,
            groups=sliding.lane_groups,
            slices=count,
            tiles_x=output.tiles.columns,
            tiles_y=chunk.rows,
            images=chunk.images,
            digit_stride=rows.room * rows.stride,
            slice_stride=sliding.groups_per_slice * rows.stride,
            x_stride=grid.column_step,
            y_stride=grid.row_step * layout.width_blocks,
            image_stride=(rows.end - rows.first) * layout.width_blocks,
            column_slice_stride=self.kernel_layout.digits,
            row_pixels=grid.row_pixels,
            top_edge=chunk.row == 0,
        )
        digits = layout.digits * self.kernel_layout.digits
        builder.convolve(command, self._patterns(sliding, output, chunk, rows.stride), digits)

    def _rows(self, chunk: Chunk, parts: int, group: int) -> Rows:
        """What of the tensor ``chunk`` needs, from channel group ``group`` on."""
        layout, step = self.layout, self.grid.row_step
        room = self._room(parts)
        first, end = 0, layout.block_rows
        if not chunk.whole:
            first = max(0, chunk.row * step + self._above)
            end = min(end, (chunk.row + chunk.rows - 1) * step + self._below + 1)
        words = chunk.images * (end - first) * layout.width_blocks
        groups = min(room, layout.groups - group)
        return Rows(chunk, first, end, group, groups, room, odd(words))

    def _bring_columns(
        self, builder: CommandBuilder, sliding: Sliding, group: int, first: int, count: int
    ) -> int:
        precisions, layout = self.precisions, self.kernel_layout

        def loads(address: int) -> list[Load]:
            base = Load(
                **precisions.column_header,
                memory=Memory.COLUMNS,
                address=self.kernels.address,
                runs=1,
                words=1,
                destination=address,
                transposed=sliding.transposed,
            )
            return list(sliding.loads(layout, base, group, first, count))

        key = (
            self.kernels.key,
            precisions.key,
            (sliding, group, first, count),
        )
        return builder.columns(key, count * layout.digits, loads, layout.digits)

    def _store(self, output: Output, chunk: Chunk, group: int) -> Store:
        return Store(
            **self.precisions.header,
            format=Format.NONE,
            tiles_x=output.tiles.columns,
            tiles_y=chunk.rows,
            images=chunk.images,
            row_pixels=self.grid.row_pixels,
        )

    def _destination(
        self, builder: CommandBuilder, output: Output, store: Store, chunk: Chunk, group: int
    ) -> Store:
        """``store`` with the place of its tiles in memory."""
        tiles = output.tiles
        if output.region is not None:
            return output.region.store(store, tiles.number(group, chunk.image, chunk.row))
        tensor, narrowing = output.tensor, output.narrowing
        assert tensor is not None and narrowing is not None
        layout = tensor.layout
        assert isinstance(layout, PixelLayout)
        tensor.written.append((chunk.image, chunk.images, builder.number))
        block = layout.word(group, chunk.image, chunk.row * layout.width_blocks)
        at_bottom = chunk.row + chunk.rows == tiles.rows
        return replace(
            store,
            format=Format.PLANES,
            address=tensor.address + self.parameters.word_bytes * block,
            tile_stride=1,
            digit_stride=layout.digit_stride,
            bits=narrowing.bits,
            shift=narrowing.shift,
            signed=narrowing.signed,
            valid_x=layout.size[1] - (tiles.columns - 1) * self.parameters.array.rows
            if tiles.columns > 1
            else layout.size[1],
            valid_y=layout.size[0] - (tiles.rows - 1) * layout.rows_per_block if at_bottom else 255,
        )

    def _patterns(
        self, sliding: Sliding, output: Output, chunk: Chunk, stride: int
    ) -> tuple[Pattern, ...]:
        """Reads of the window; those of other chunks of images are mostly the same."""
        key = sliding, output.tiles.columns, chunk.row, chunk.rows, stride
        if key not in self._known_patterns:
            self._known_patterns[key] = self._new_patterns(sliding, output, chunk, stride)
        return self._known_patterns[key]

    def _new_patterns(
        self, sliding: Sliding, output: Output, chunk: Chunk, stride: int
    ) -> tuple[Pattern, ...]:
        grid, layout = self.grid, self.layout
        edges = Edges(
            grid,
            layout.block_rows,
            (chunk.row + chunk.rows - 1) * grid.row_step,
            (output.tiles.columns - 1) * grid.column_step,
        )

        def located() -> Iterator[tuple[int, int, int, Piece]]:
            for tap, piece in self.pieces[sliding]:
                offset = tap.group * stride + piece.row * layout.width_blocks + piece.column
                yield offset, edges.zero(piece), tap.slot, piece

        return pair(merge(located()))
