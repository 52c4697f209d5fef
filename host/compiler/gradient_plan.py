"""How a gradient of weights is cut, so that operands and sums fit on the chip.

Images go through in chunks, and the gradient memory adds the chunks' sums. If it has no room for
all tiles, tiles are done in rounds, and all chunks go through once in each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fractrain.host.compiler.canonical import PARITIES, Canonical
from fractrain.host.compiler.planning import (
    ENOUGH_PASSES,
    MOST_IMAGES,
    MOST_RUN,
    MOST_STRIDE,
    MOST_TILES_X,
    MOST_TILES_Y,
    Chunk,
    TooLarge,
    strips,
    whole_images,
)
from fractrain.host.compiler.slices import BLOCKS, Pair, pair_count, pairs_of, rectangles
from fractrain.host.compiler.tensors import PixelLayout
from fractrain.host.compiler.windows import Grid, pieces
from fractrain.host.compiler.work import limit_column_words, limit_plane_words
from fractrain.hw.contract.parameters import Parameters

TILE_PASSES = 256
"""Passes of a tile in a chunk that hide its results leaving behind the next tile."""


@dataclass(frozen=True)
class Round:
    """Tiles that are in the gradient memory at the same time."""

    channels: range
    filters: range


Cut = list[tuple[Round, list[list[Chunk]]]]
"""Rounds, each with the chunks of every group of images."""


class GradientPlan:
    """The tiles of one gradient, and how many are on the chip at a time.

    ``a``, ``e``: layouts of activations and errors. ``groups`` of input channels, of which each
    is ``spread`` groups in memory; ``pairs`` of (tap, group), a tile each. The block of outputs
    in row 0 reads rows ``above`` to ``below`` of input blocks.
    """

    def __init__(
        self,
        parameters: Parameters,
        grid: Grid,
        form: Canonical,
        a: PixelLayout,
        e: PixelLayout,
        image_groups: list[range],
    ) -> None:
        self.parameters, self.grid, self.a, self.e = parameters, grid, a, e
        self.kernel, self.phased = form.kernel, form.phased
        self.image_groups = image_groups
        self.spread = PARITIES if form.phased else 1
        self.groups = a.groups // self.spread
        self.pairs = self.pairs_in(range(self.groups))
        self.above, self.below = self._reach()

    def pairs_in(self, groups: range) -> list[Pair]:
        """Tiles of these groups of input channels."""
        return pairs_of(groups, self.kernel, 2 if self.phased else self.grid.stride)

    def _reach(self) -> tuple[int, int]:
        rows = [
            piece.row
            for entry in pairs_of(range(1), self.kernel, 1)
            for half in entry
            if half is not None
            for _, dy, dx in [half.source(self.kernel, phased=self.phased)]
            for piece in pieces(self.grid, dy, dx)
        ]
        return min(rows), max(rows)

    def cut(self) -> Cut:
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
        """Groups of filters with tiles that fit into the gradient memory with ``size`` groups."""
        sums = self.parameters.buffers.gradient_words // self.parameters.beats_per_tile
        pairs = pair_count(size, self.kernel)  # all in one STORE, as if they were images
        return min(sums // pairs, self.e.groups) if pairs <= MOST_IMAGES else 0

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
        return (height - 1) * self.grid.row_step + self.below - self.above + 1

    def _useful(self, images: int) -> int:
        """The fewest images that give a tile and a batch enough passes."""
        digits = self.a.digits * self.e.digits
        for count in range(1, images):
            passes = self._slices(Chunk(0, count, 0, self.e.block_rows, True)) * digits
            if passes >= TILE_PASSES and passes * len(self.pairs) >= ENOUGH_PASSES:
                together = max(1, BLOCKS // self.e.blocks)
                return min(images, -(-count // together) * together)
        return images
