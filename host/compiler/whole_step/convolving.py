"""Writes convolutions of tensors in the plane memory, each with what takes its tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fractrain.host.compiler.planning import MOST_RUN
from fractrain.host.compiler.sliding import Parity
from fractrain.host.compiler.tensors import PixelLayout
from fractrain.host.compiler.whole_step.changing import changed
from fractrain.host.compiler.whole_step.chip import Chip
from fractrain.host.compiler.whole_step.memory_map import Stash, Weights
from fractrain.host.compiler.whole_step.network import Layer
from fractrain.host.compiler.whole_step.refusal import too_small
from fractrain.host.compiler.whole_step.stream import Span
from fractrain.host.compiler.whole_step.templates import (
    GradientTemplate,
    WindowTemplate,
    gradient_columns,
    gradient_templates,
    window_templates,
)
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.commands import Command, Load, Memory, Move
from fractrain.hw.contract.precision import Pass
from fractrain.hw.contract.window import GRADIENT_BLOCKS

BLOCKS = GRADIENT_BLOCKS
"""Blocks of pixels in a slice of a gradient."""
PARTS_OF_COLUMNS = 4
"""Errors of a piece of a gradient take one of them: the next piece and weights fit beside it."""
TENSORS = 3
"""Of a chunk that are in the plane memory side by side."""
LEAST_BLOCKS = 32
"""Of a piece; fewer are too many commands."""
PARTS_OF_PLANES = 12
"""So do its activations: errors of three convolutions are beside them."""


@dataclass(frozen=True)
class Planes:
    """``images`` of a tensor in the plane memory, from the ``first`` of ``layout`` on, which is at
    ``address``: groups every ``group_stride`` words, an odd number, planes every ``stride``."""

    address: int
    layout: PixelLayout
    images: int
    first: int = 0

    @property
    def group_stride(self) -> int:
        return self.layout.group_stride | 1

    @property
    def stride(self) -> int:
        return self.layout.groups * self.group_stride

    @property
    def words(self) -> int:
        return plane_words(self.layout)

    @property
    def start(self) -> int:
        """The first word of the first image."""
        return self.address + self.first * self.layout.blocks

    @property
    def span(self) -> Span:
        return "planes", self.address, self.address + self.words

    def part(self, images: range) -> Planes:
        """Those of its images."""
        return replace(self, first=self.first + images.start, images=len(images))


def plane_words(layout: PixelLayout) -> int:
    """Of the plane memory."""
    return layout.bits * layout.groups * (layout.group_stride | 1)


Taker = tuple[Command, list[Span], list[Span]]
Placed = Callable[[int, dict[str, Any], Parity | None], Sequence[Taker]]
"""What takes the tiles of a group of outputs, with what it reads and writes: by group, fields of
the tiles, parity of a stride of 2."""


class Convolving:
    """Writes to ``chip``."""

    def __init__(self, chip: Chip) -> None:
        self.chip, self.p = chip, chip.p

    # -- operands --------------------------------------------------------------------------

    def load(
        self,
        stash: Stash,
        image: int,
        images: int,
        plane: int,
        bits: int,
        header: dict[str, Any],
    ) -> Planes:
        """``images`` of the stash, from ``plane`` on, in words that are held from now on."""
        layout = stash.grid.layout(images, bits)
        planes = Planes(self.chip.planes.take(plane_words(layout), small=True), layout, images)
        load = Load(
            **header,
            memory=Memory.PLANES,
            address=stash.at(image, plane),
            digit_stride=stash.plane_stride,
            run_stride=stash.group_stride,
            runs=layout.groups,
            words=layout.group_stride,
            destination=planes.address,
            destination_digit_stride=planes.stride,
            destination_run_stride=planes.group_stride,
        )
        self.chip.add(load, [(stash.name, image, image + images)], [planes.span])
        return planes

    def pieces(
        self, image: PixelLayout, images: int, *, errors: PixelLayout | None = None
    ) -> list[range]:
        """``images`` in parts that can be loaded one beside the other, and of which the ``errors``
        of a gradient fit into half of the column memory; ``image``: one of them."""
        most = min(images, MOST_RUN // image.blocks)
        room = self.chip.planes.room // 3
        if errors is not None:
            room = min(room, self.chip.planes.size // PARTS_OF_PLANES)
        small = self._small_piece(image)
        if errors is not None and small * image.blocks >= LEAST_BLOCKS:
            return self._cut(images, self._most_errors(min(small, images), errors), errors)
        words = image.bits * image.groups
        while most > 1 and words * (most * image.blocks | 1) > room:
            most -= 1
        return self._cut(images, self._most_errors(most, errors), errors)

    def stands_beside(self, image: PixelLayout) -> bool:
        """Whether pieces of such images leave room for three tensors of a chunk."""
        return self._small_piece(image) * image.blocks >= LEAST_BLOCKS

    def _small_piece(self, image: PixelLayout) -> int:
        """Images of which two pieces fit beside three tensors of a chunk."""
        planes, most = self.chip.planes, 0
        room = (planes.size - TENSORS * planes.step) // 2 if planes.step else 0
        while image.bits * image.groups * ((most + 1) * image.blocks | 1) <= room:
            most += 1
        return most

    def error_pieces(self, images: int, errors: PixelLayout) -> list[range]:
        """As `pieces`, of activations that are on the chip."""
        return self._cut(images, self._most_errors(images, errors), errors)

    def _most_errors(self, most: int, errors: PixelLayout | None) -> int:
        if errors is None:
            return most
        columns = self.chip.columns
        while most > 1 and gradient_columns(errors, most) > columns.size // PARTS_OF_COLUMNS:
            most -= 1
        needed = gradient_columns(errors, most)
        if needed > columns.size:
            raise too_small(columns.name, needed, columns.size, columns.unit)
        together = self._together(errors)
        return most // together * together or most

    @staticmethod
    def _together(errors: PixelLayout) -> int:
        """Images whose errors fill slices."""
        return max(1, BLOCKS // errors.blocks)

    def _cut(self, images: int, most: int, errors: PixelLayout | None) -> list[range]:
        """Into pieces of one size, which fill slices of ``errors``."""
        size = -(-images // -(-images // max(most, 1)))
        if errors is not None:
            together = self._together(errors)
            size = min(max(most, 1), -(-size // together) * together)
        return [range(first, min(first + size, images)) for first in range(0, images, size)]

    # -- windows ---------------------------------------------------------------------------

    def windows(
        self, pass_: Pass, layer: Layer, rows: Planes, weights: Weights, place: Placed
    ) -> None:
        """Forward or error of ``rows``."""
        geometry = _of_images(layer.geometry)
        templates = window_templates(
            pass_, geometry, layer.slot, rows.layout, rows.images, weights.layout
        )
        for number, each in enumerate(templates):
            key = layer.name, pass_, number
            column = self._weights(key, layer, each, weights)
            for taker in place(each.group, each.tiling, each.parity):
                self.chip.add(*taker)
            self.chip.convolve(
                changed(
                    each.convolve,
                    address=each.convolve.address + rows.start,
                    column_address=each.convolve.column_address + column,
                ),
                each.patterns,
                [rows.span, ("columns", column, column + each.words)],
            )

    def _weights(
        self, key: object, layer: Layer, template: WindowTemplate, weights: Weights
    ) -> int:
        """Where they are in the column memory; loaded if they are no longer there."""
        columns = self.chip.columns
        found = columns.find(key)
        if found is not None:
            return found
        found = columns.take(template.words)
        for load in template.loads:
            self.chip.add(
                changed(
                    load,
                    address=load.address + weights.address,
                    destination=load.destination + found,
                ),
                [(f"weights {layer.name}", 0, 1)],
                [("columns", found, found + template.words)],
            )
        columns.give(found, key)
        return found

    # -- gradients -------------------------------------------------------------------------

    def gradient(self, layer: Layer, a: PixelLayout, e: Planes) -> tuple[GradientTemplate, ...]:
        """The sums of the images of ``e`` with as many of ``a``, one for each group of filters."""
        geometry = _of_images(layer.geometry)
        return gradient_templates(geometry, layer.slot, a, e.layout, e.first, e.images)

    def move(self, template: GradientTemplate, e: Planes) -> int:
        """Errors into the column memory, where they are held."""
        column = self.chip.columns.take(template.words)
        span = "columns", column, column + template.words
        for load in template.loads:
            self.chip.add(self._move(load, e, column), [e.span], [span])
        return column

    def sum(
        self, template: GradientTemplate, a: Planes, column: int, beats: Sequence[int], *, add: bool
    ) -> None:
        """To the gradient memory, each group of filters from its own of ``beats`` on; what `move`
        holds is free."""
        self._store(template, beats, add=add)
        for convolve, patterns in template.tiles:
            command = changed(
                convolve,
                address=convolve.address + a.start,
                column_address=convolve.column_address + column,
            )
            span = "columns", column, column + template.words
            self.chip.convolve(command, patterns, [a.span, span])
        self.chip.columns.give(column)

    def _store(self, template: GradientTemplate, beats: Sequence[int], *, add: bool) -> None:
        store = template.store
        tiles = store.images * store.tiles_y * store.tiles_x
        first = beats[store.gradient_address // (tiles * self.p.beats_per_tile)]
        self.chip.add(
            changed(store, add=add, keep=True, gradient_address=first),
            writes=[("gradients", first, first + tiles * self.p.beats_per_tile)],
        )

    def _move(self, load: Load, e: Planes, column: int) -> Move:
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
            destination=load.destination + column,
            destination_digit_stride=load.destination_digit_stride,
            destination_run_stride=load.destination_run_stride,
            groups=load.groups,
        )


def _of_images(geometry: Geometry) -> Geometry:
    """Of any images: their number is that of the tensors."""
    return replace(geometry, images=1)
