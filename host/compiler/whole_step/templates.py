"""Convolutions of a chunk as commands without addresses, by the compiler of single convolutions.

Each is written once; chunks differ in addresses only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, cast

from fractrain.host.compiler.canonical import Way, canonical
from fractrain.host.compiler.convolution import Cut, Output, SlidingWork
from fractrain.host.compiler.gradient import GradientWork
from fractrain.host.compiler.gradient_plan import Round
from fractrain.host.compiler.planning import Chunk
from fractrain.host.compiler.results import TileGrid, TileRegion
from fractrain.host.compiler.schedule import CommandBuilder
from fractrain.host.compiler.slices import Pair, pairs_of, rectangles
from fractrain.host.compiler.sliding import Parity, filter_groups, slidings
from fractrain.host.compiler.tensors import KernelLayout, PixelLayout
from fractrain.host.compiler.windows import Grid
from fractrain.host.compiler.work import PlacedTensor, Precisions, Rows
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.commands import Convolve, Load, Pattern, Store, Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass

TAGS = {Pass.FORWARD: Tag.FORWARD, Pass.ERROR: Tag.ERROR, Pass.GRADIENT: Tag.GRADIENT}


@dataclass(frozen=True)
class WindowTemplate:
    """One group of outputs: ``loads`` of ``words`` of the column memory from 0 on, with the weights
    at address 0; ``convolve`` with the rows and columns at 0; ``tiling``: fields of its tiles."""

    loads: tuple[Load, ...]
    words: int
    convolve: Convolve
    patterns: tuple[Pattern, ...]
    tiling: dict[str, Any]
    group: int
    parity: Parity | None


@dataclass(frozen=True)
class GradientTemplate:
    """One group of filters: ``loads`` of the errors, which are at address 0; the ``store`` of its
    tiles from beat 0 of the convolution on, and what makes them."""

    loads: tuple[Load, ...]
    words: int
    store: Store
    tiles: tuple[tuple[Convolve, tuple[Pattern, ...]], ...]


class _Anywhere:
    """A region of tiles: the STORE is replaced, so it says nothing."""

    def store(self, command: Store, first: int) -> Store:
        return command


class _Capture:
    """Stands for `CommandBuilder`: everything is at 0, and commands are kept."""

    def __init__(self) -> None:
        self.batches: list[Any] = [None]
        self.number = 0
        self.loads: list[tuple[Load, ...]] = []
        self.words: list[int] = []
        self.stores: list[Store] = []
        self.convolves: list[list[tuple[Convolve, tuple[Pattern, ...]]]] = []

    def begin(self) -> None:
        pass

    def planes(self, *_: Hashable) -> int:
        return 0

    def columns(
        self, key: Hashable, words: int, loads: Callable[[int], list[Load]], *_: Any
    ) -> int:
        self.loads.append(tuple(loads(0)))
        self.words.append(words)
        return 0

    def store(self, command: Store) -> None:
        self.stores.append(command)
        self.convolves.append([])

    def convolve(self, command: Convolve, entries: tuple[Pattern, ...], digits: int) -> None:
        self.convolves[-1].append((replace(command, pairs=len(entries)), entries))


class _PartOfImages(SlidingWork):
    """Windows over the first ``images`` of a tensor on the chip."""

    images = 1

    def _clip(self, chunk: Chunk, output: Output) -> Chunk | None:
        found = super()._clip(chunk, output)
        return None if found is None else replace(found, images=self.images)


class _PartOfGradient(GradientWork):
    """The gradient of some images of tensors on the chip, of which groups of ``a`` stay as far from
    each other as they are."""

    def _rows(self, round_: Round, chunk: Chunk) -> Rows:
        return replace(super()._rows(round_, replace(chunk, images=self.a.images)), chunk=chunk)


@functools.lru_cache(1 << 12)
def window_templates(
    pass_: Pass,
    geometry: Geometry,
    slot: int,
    rows: PixelLayout,
    images: int,
    kernels: KernelLayout,
) -> tuple[WindowTemplate, ...]:
    """Forward or error of ``images`` of a tensor ``rows`` on the chip."""
    p = rows.parameters
    form = canonical(pass_, geometry, p, Way.DIRECT)
    strided = form.stride if form.pass_ is not Pass.ERROR else 1
    grid = Grid(p.array.rows, rows.row_width, strided)
    channels = geometry.filters if pass_ is Pass.FORWARD else geometry.channels
    found: list[WindowTemplate] = []
    for sliding in slidings(form, p.block.channels):
        size = _parity_size(form.output, sliding.parity)
        if min(size) < 1:
            continue
        groups, down = -(-channels // p.block.channels), -(-size[0] // grid.output_rows)
        extent = images, down, grid.output_columns
        tiles = TileGrid(groups, *extent, grid.output_width, channels, (0, 0), size)
        region = cast(TileRegion, _Anywhere())
        tensors = PlacedTensor("rows", rows), PlacedTensor("kernels", kernels)
        work = _PartOfImages(
            p, _precisions(pass_, slot), grid, *tensors, [(sliding, Output(tiles, region))]
        )
        work.images = images
        capture = _Capture()
        whole = Chunk(0, rows.images, 0, tiles.rows, True)
        work.emit(cast(CommandBuilder, capture), Cut(1, [whole]))
        for group, store in enumerate(capture.stores):
            ((convolve, patterns),) = capture.convolves[group]
            found.append(
                WindowTemplate(
                    capture.loads[group],
                    capture.words[group],
                    replace(convolve, digit_stride=rows.groups * (rows.group_stride | 1)),
                    patterns,
                    _tiling(p, store, tiles),
                    group,
                    sliding.parity,
                )
            )
    return tuple(found)


def _tiling(p: Parameters, store: Store, tiles: TileGrid) -> dict[str, Any]:
    pixels = p.array.rows
    rows = max(1, pixels // tiles.width)
    return {
        "row_pixels": store.row_pixels,
        "tiles_x": store.tiles_x,
        "tiles_y": store.tiles_y,
        "images": store.images,
        "valid_x": max(tiles.size[1] - (store.tiles_x - 1) * pixels, 0),
        "valid_y": tiles.size[0] - (store.tiles_y - 1) * rows,
    }


@functools.lru_cache(1 << 12)
def gradient_templates(
    geometry: Geometry, slot: int, a: PixelLayout, e: PixelLayout, first: int, images: int
) -> tuple[GradientTemplate, ...]:
    """The gradient of ``images``, in the errors ``e`` from the ``first`` on, in ``a`` from its own
    first on."""
    p = a.parameters
    form = canonical(Pass.GRADIENT, geometry, p, Way.DIRECT)
    work = _PartOfGradient(
        p,
        _precisions(Pass.GRADIENT, slot),
        Grid(p.array.rows, a.row_width, form.stride),
        form,
        PlacedTensor("a", a),
        PlacedTensor("e", e),
        [range(images)],
        [cast(TileRegion, _Anywhere())],
    )
    capture = _Capture()
    chunk = Chunk(first, images, 0, e.block_rows, True)
    work.emit(cast(CommandBuilder, capture), [(Round(range(a.groups), range(e.groups)), [[chunk]])])
    stride = a.groups * (a.group_stride | 1)
    return tuple(
        GradientTemplate(
            loads,
            words,
            store,
            tuple((replace(each, digit_stride=stride), patterns) for each, patterns in tiles),
        )
        for loads, words, store, tiles in zip(
            capture.loads, capture.words, capture.stores, capture.convolves, strict=True
        )
    )


def gradient_columns(e: PixelLayout, images: int) -> int:
    """Words of the column memory for the errors of ``images`` of one group of filters."""
    chunk = Chunk(0, images, 0, e.block_rows, True)
    return e.digits * sum(each.slices for each in rectangles(chunk, e.width_blocks))


def tiles_of_gradient(p: Parameters, geometry: Geometry) -> list[Pair]:
    """Pairs of (tap, group of channels) that are a tile each, for each group of filters."""
    groups = range(-(-geometry.channels // p.block.channels))
    return pairs_of(groups, geometry.kernel, geometry.stride)


def kernel_layout(p: Parameters, geometry: Geometry, bits: int) -> KernelLayout:
    """With room for all filters that the error's windows read."""
    channels = p.block.channels
    forms = (canonical(each, geometry, p, Way.DIRECT) for each in (Pass.FORWARD, Pass.ERROR))
    groups = max(filter_groups(each, channels) for each in forms)
    taps = geometry.kernel[0] * geometry.kernel[1]
    return KernelLayout(p, geometry.filters, geometry.channels, taps, bits, groups)


def _parity_size(size: tuple[int, int], parity: Parity | None) -> tuple[int, int]:
    """Of the pixels of ``parity``."""
    if parity is None:
        return size
    return (size[0] + 1 - parity[0]) // 2, (size[1] + 1 - parity[1]) // 2


def _precisions(pass_: Pass, slot: int) -> Precisions:
    signed = pass_.row.signed, pass_.column.signed
    return Precisions(slot, (pass_.row, pass_.column), signed, TAGS[pass_])
