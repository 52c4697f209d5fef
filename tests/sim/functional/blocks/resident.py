"""Convolutions of tensors that are in the plane memory: CONVOLVE and what it needs, from the host's
compiler, with NARROW and JOIN in the place of STORE."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from fractrain.host.compiler.canonical import Way, canonical
from fractrain.host.compiler.convolution import Cut, Output, SlidingWork
from fractrain.host.compiler.gradient import GradientWork
from fractrain.host.compiler.gradient_plan import Round
from fractrain.host.compiler.planning import Chunk
from fractrain.host.compiler.results import TileGrid
from fractrain.host.compiler.slices import Pair, pairs_of
from fractrain.host.compiler.sliding import Parity, filter_groups, slidings
from fractrain.host.compiler.tensors import KernelLayout, PixelLayout
from fractrain.host.compiler.windows import Grid
from fractrain.host.compiler.work import PlacedTensor, Precisions
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.commands import Command, Convolve, Load, Move, Pattern, Store, Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand, Pass
from tests.sim.functional.blocks.tokens import Program

TAGS = {Pass.FORWARD: Tag.FORWARD, Pass.ERROR: Tag.ERROR, Pass.GRADIENT: Tag.GRADIENT}
STORED = {Operand.ACTIVATION: 8, Operand.WEIGHT: 8, Operand.ERROR: 12}
"""Bits that layouts have room for."""


@dataclass(frozen=True)
class Planes:
    """A tensor of a chunk in the plane memory: groups of ``layout`` every ``group_stride`` words,
    an odd number, planes every ``stride``. ``name``: as tokens know it."""

    name: str
    address: int
    layout: PixelLayout

    @property
    def group_stride(self) -> int:
        return self.layout.group_stride | 1

    @property
    def stride(self) -> int:
        return self.layout.groups * self.group_stride

    @property
    def words(self) -> int:
        return self.layout.bits * self.stride


@dataclass(frozen=True)
class Kernels:
    """Weights in planes in memory."""

    name: str
    address: int
    layout: KernelLayout


Taker = tuple[Command, set[str], set[str]]
Placed = Callable[[int, dict[str, Any], Parity | None], list[Taker]]
"""What takes the place of a STORE, what it reads and writes: by group of outputs, fields of the
tiles, parity of a stride 2."""


class _Anywhere:
    """A region of tiles: the STORE is replaced, so it says nothing."""

    def store(self, command: Store, first: int) -> Store:
        return command


class _Recorder:
    """Stands for `CommandBuilder`: tensors are where they are, and commands go to the program."""

    def __init__(self, program: Program, rows: int, columns: int) -> None:
        self.program, self.rows, self.column_address = program, rows, columns
        self.batches: list[Any] = [None]
        self.number = 0
        self.on_store: Callable[[Store], None] = lambda store: None
        self.on_load: Callable[[Load], None] = lambda load: None
        self.on_convolve: Callable[[Convolve], Convolve] = lambda command: command
        self.reads: set[str] = set()

    def begin(self) -> None:
        pass

    def planes(self, *_: Hashable) -> int:
        return self.rows

    def columns(
        self, key: Hashable, words: int, loads: Callable[[int], list[Load]], *_: Any
    ) -> int:
        for each in loads(self.column_address):
            self.on_load(each)
        return self.column_address

    def store(self, command: Store) -> None:
        self.on_store(command)

    def convolve(self, command: Convolve, entries: tuple[Pattern, ...], digits: int) -> None:
        for each in entries:
            self.program.add(each)
        command = self.on_convolve(replace(command, pattern=0, pairs=len(entries)))
        self.program.add(command, self.reads)


class Convolutions:
    """Writes convolutions of chunks into ``program``."""

    def __init__(self, p: Parameters, program: Program) -> None:
        self.p, self.program = p, program

    def windows(
        self,
        pass_: Pass,
        geometry: Geometry,
        slot: int,
        rows: Planes,
        kernels: Kernels,
        place: Placed,
        columns: int,
    ) -> None:
        """Forward and error. ``place``: what takes the place of a STORE; ``columns``: where weights
        go in the column memory."""
        form = canonical(pass_, geometry, self.p, Way.DIRECT)
        strided = form.stride if form.pass_ is not Pass.ERROR else 1
        grid = Grid(self.p.array.rows, rows.layout.row_width, strided)
        channels = geometry.filters if pass_ is Pass.FORWARD else geometry.channels
        for sliding in slidings(form, self.p.block.channels):
            size = parity_size(form.output, sliding.parity)
            tiles = TileGrid(
                -(-channels // self.p.block.channels),
                rows.layout.images,
                -(-size[0] // grid.output_rows),
                grid.output_columns,
                grid.output_width,
                channels,
                (0, 0),
                size,
            )
            work = SlidingWork(
                self.p,
                _precisions(pass_, slot),
                grid,
                PlacedTensor("rows", rows.layout),
                PlacedTensor("kernels", kernels.layout, kernels.address),
                [(sliding, Output(tiles, _Anywhere()))],  # type: ignore[arg-type]
            )
            recorder = self._recorder(rows, columns)
            recorder.on_load = self._loads(kernels, columns)
            recorder.on_store = self._stores(place, tiles, sliding.parity)
            whole = Chunk(0, rows.layout.images, 0, tiles.rows, True)
            work.emit(recorder, Cut(1, [whole]))  # type: ignore[arg-type]

    def _loads(self, kernels: Kernels, columns: int) -> Callable[[Load], None]:
        return lambda load: self.program.add(load, {kernels.name}, {f"columns {columns}"})

    def _stores(
        self, place: Placed, tiles: TileGrid, parity: Parity | None
    ) -> Callable[[Store], None]:
        groups = iter(range(tiles.groups))

        def on_store(given: Store) -> None:
            pixels = self.p.array.rows
            rows = max(1, pixels // tiles.width)
            tiling = {
                "row_pixels": given.row_pixels,
                "tiles_x": given.tiles_x,
                "tiles_y": given.tiles_y,
                "images": given.images,
                "valid_x": tiles.size[1] - (given.tiles_x - 1) * pixels,
                "valid_y": tiles.size[0] - (given.tiles_y - 1) * rows,
            }
            for each in place(next(groups), tiling, parity):
                self.program.add(*each)

        return on_store

    def _recorder(self, rows: Planes, columns: int) -> _Recorder:
        recorder = _Recorder(self.program, rows.address, columns)
        recorder.reads = {rows.name, f"columns {columns}"}
        recorder.on_convolve = lambda command: replace(command, digit_stride=rows.stride)
        return recorder

    # -- gradients -------------------------------------------------------------------------

    def gradient(
        self,
        geometry: Geometry,
        slot: int,
        a: Planes,
        e: Planes,
        sums: int,
        *,
        add: bool,
        columns: int,
    ) -> None:
        """Sums of a chunk, at beat ``sums`` of the gradient memory."""
        form = canonical(Pass.GRADIENT, geometry, self.p, Way.DIRECT)
        images = a.layout.images
        work = GradientWork(
            self.p,
            _precisions(Pass.GRADIENT, slot),
            Grid(self.p.array.rows, a.layout.row_width, form.stride),
            form,
            PlacedTensor("a", a.layout),
            PlacedTensor("e", e.layout),
            [range(images)],
            [_Anywhere()],  # type: ignore[list-item]
        )
        recorder = self._recorder(a, columns)
        recorder.on_load = lambda load: self.program.add(
            self._move(load, e), {e.name}, {f"columns {columns}"}
        )
        recorder.on_store = lambda given: self.program.add(
            replace(given, add=add, keep=True, gradient_address=sums + given.gradient_address),
            writes={"gradients"},
        )
        whole = Chunk(0, images, 0, e.layout.block_rows, True)
        round_ = Round(range(a.layout.groups), range(e.layout.groups))
        work.emit(recorder, [(round_, [[whole]])])  # type: ignore[arg-type]

    def _move(self, load: Load, e: Planes) -> Move:
        """``load`` of a tensor that is on the chip."""
        group, rest = divmod(load.address // self.p.word_bytes, e.layout.group_stride)
        return Move(
            slot=load.slot,
            operand=load.operand,
            partner=load.partner,
            tag=load.tag,
            transposed=load.transposed,
            address=e.address + group * e.group_stride + rest,
            digit_stride=e.stride,
            run_stride=load.run_stride,
            runs=load.runs,
            words=load.words,
            destination=load.destination,
            destination_digit_stride=load.destination_digit_stride,
            destination_run_stride=load.destination_run_stride,
            groups=load.groups,
        )

    def pairs(self, geometry: Geometry) -> list[Pair]:
        """Tiles of a gradient, for each group of filters."""
        groups = range(-(-geometry.channels // self.p.block.channels))
        return pairs_of(groups, geometry.kernel, geometry.stride)


def parity_size(size: tuple[int, int], parity: Parity | None) -> tuple[int, int]:
    """Of the pixels of ``parity``."""
    if parity is None:
        return size
    return (size[0] + 1 - parity[0]) // 2, (size[1] + 1 - parity[1]) // 2


def _precisions(pass_: Pass, slot: int) -> Precisions:
    return Precisions(
        slot, (pass_.row, pass_.column), (pass_.row.signed, pass_.column.signed), TAGS[pass_]
    )


def kernel_layout(p: Parameters, geometry: Geometry) -> KernelLayout:
    """With room for all filters that the error's windows read."""
    channels = p.block.channels
    forms = (canonical(each, geometry, p, Way.DIRECT) for each in (Pass.FORWARD, Pass.ERROR))
    groups = max(filter_groups(each, channels) for each in forms)
    taps = geometry.kernel[0] * geometry.kernel[1]
    bits = STORED[Operand.WEIGHT]
    return KernelLayout(p, geometry.filters, geometry.channels, taps, bits, groups)


def half_blocks(layout: KernelLayout) -> Iterator[tuple[int, int, int, int, int]]:
    """(group of filters, group of channels, tap, word, half) of each half-block."""
    for filters in range(layout.filter_groups):
        for group in range(layout.channel_groups):
            for tap in range(layout.taps):
                part, half = (
                    (group, tap) if layout.taps == 9 else divmod(group, layout.groups_per_slice)
                )
                yield filters, group, tap, layout.word(filters, part) + half // 2, half % 2
