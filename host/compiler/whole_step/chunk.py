"""What the commands of a chunk share: where it is in memory, its records, its statistics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fractrain.host.compiler.whole_step.chip import PEAKS, Chip
from fractrain.host.compiler.whole_step.convolving import Convolving, Planes, plane_words
from fractrain.host.compiler.whole_step.grids import PixelGrid
from fractrain.host.compiler.whole_step.memory_map import (
    MemoryMap,
    Stash,
    chunks_of,
    statistics_bytes,
)
from fractrain.host.compiler.whole_step.network import Layer, NetworkStage
from fractrain.host.compiler.whole_step.recording import HOST
from fractrain.host.compiler.whole_step.sheets import LATE, Place
from fractrain.host.compiler.whole_step.stream import Span
from fractrain.host.graph.machine_records import NormKey, ScaleKey
from fractrain.hw.contract.commands import Recall, Recalled, Set, Shape, Tag
from fractrain.hw.contract.precision import Operand

WORKING_MOMENTS = 3
"""Tensors whose moments are summed at a time, at most."""
RECALLED_PARTS = 4
"""Of x̂ of one group of channels."""
OTHERS = 0
"""The slot of layers at a fixed precision."""

FORWARD: dict[str, Any] = {
    "operand": Operand.ACTIVATION,
    "partner": Operand.WEIGHT,
    "tag": Tag.FORWARD,
}
ERROR: dict[str, Any] = {"operand": Operand.ERROR, "partner": Operand.WEIGHT, "tag": Tag.ERROR}
GRADIENT: dict[str, Any] = {
    "operand": Operand.ACTIVATION,
    "partner": Operand.ERROR,
    "tag": Tag.GRADIENT,
}


class StageWriter:
    """Of ``stage``, whose outputs have ``grid`` and are cut into ``chunks``."""

    def __init__(self, chip: Chip, memory: MemoryMap, stage: NetworkStage) -> None:
        self.chip, self.memory, self.stage = chip, memory, stage
        self.p, self.graph = chip.p, memory.network.graph
        self.grid = memory.grids[stage.number].outputs
        self.images_grid = memory.grids[stage.number].images
        self.chunks = chunks_of(self.graph, self.grid)
        self.convolving = Convolving(chip)
        self.summed: dict[int, int] = {}
        """Moments of E that is in memory, by chunk."""

    def chunk_of(self, image: int) -> int:
        """Number of the chunk that ``image`` is in."""
        return next(number for number, each in enumerate(self.chunks) if image in each)

    @property
    def keeps_moments(self) -> bool:
        """Whether there is room for those of a chunk until its E is back."""
        widest = max(each.outputs.padded for each in self.memory.grids)
        return self.chip.moments.room >= WORKING_MOMENTS * widest

    # -- records ---------------------------------------------------------------------------

    def sheet(self, name: str, *, wait_host: bool = False) -> int:
        """First record of a sheet; brought if it is no longer there."""
        found = self.chip.records.find(name)
        if found is not None and not wait_host:
            return found
        sheet, region = self.memory.sheets[name]
        found = self.chip.records.take(sheet.records)
        command = Set(
            address=region.address, words=region.size // self.p.word_bytes, destination=found
        )
        writes = [("records", found, found + sheet.records)]
        late = [(HOST, 0, 1)] if name == LATE else []
        self.chip.add(command, late, writes, wait_host=wait_host)
        self.chip.records.give(found, name)
        return found

    def record(self, sheet: str, key: NormKey | ScaleKey | str) -> tuple[int, Span]:
        """Address of a record, or of the first of several, and what a command reads there."""
        place: Place = self.memory.sheets[sheet][0].places[key]
        first = self.sheet(sheet) + place.first
        return first, ("records", first, first + place.count)

    # -- shapes and planes -----------------------------------------------------------------

    def shape(self, images: int, groups: int | None = None, of: int | None = None) -> int:
        """Entry of the shape table for ``images`` of an output, or some ``groups`` of channels;
        planes are those ``of`` so many images."""
        return shape_entry(self.chip, self.memory, self.grid, images, groups, of)

    def planes(self, images: int, bits: int) -> Planes:
        """Of an output, held from now on."""
        layout = self.grid.layout(images, bits)
        return Planes(self.chip.planes.take(plane_words(layout)), layout, images)

    def statistics(
        self, layer: Layer, chunk: int, group: int, *, backward: bool
    ) -> tuple[int, Span]:
        """Address of those of a group of channels of a chunk."""
        region = self.memory.statistics[layer.name, backward]
        size = self.p.block.channels * statistics_bytes(backward=backward)
        number = chunk * self.grid.groups + group
        span = f"statistics {layer.name} {backward}", number, number + 1
        return region.address + number * size, span

    def recall(
        self,
        stash: Stash,
        images: range,
        kind: Recalled,
        side: int,
        *,
        masked: bool = False,
        **fields: Any,
    ) -> None:
        """x̂ of ``images``, to the side memory."""
        for _ in self.recall_parts(stash, images, kind, side, masked=masked, **fields):
            pass

    def recall_parts(
        self,
        stash: Stash,
        images: range,
        kind: Recalled,
        side: int,
        *,
        masked: bool = False,
        **fields: Any,
    ) -> Iterator[None]:
        """The same in parts, between which the fetch stage may bring something else: groups of
        channels, or, of one group, images."""
        grid, groups = stash.grid, stash.grid.groups
        lines = grid.lines(len(images)) // groups
        size = len(images) if groups > 1 else -(-len(images) // RECALLED_PARTS)
        for group in range(groups):
            for start in range(images.start, images.stop, size):
                part = range(start, min(start + size, images.stop))
                at = side + group * lines + (start - images.start) * (lines // len(images))
                command = Recall(
                    **ERROR,
                    **fields,
                    kind=kind,
                    address=stash.at(start) + self.p.word_bytes * group * stash.group_stride,
                    masked=masked,
                    mask_plane=self.memory.stash_planes.mask if masked else 0,
                    plane_stride=stash.plane_stride,
                    group_stride=stash.group_stride,
                    channel_groups=1,
                    blocks=grid.blocks * len(part),
                    destination=at,
                )
                held = "side", at, at + lines * len(part) // len(images)
                self.chip.add(command, [(stash.name, part.start, part.stop)], [held])
                yield

    def peak(self, name: str) -> tuple[int, Span]:
        """Place of the peak of an operation."""
        place = self.chip.peak(name)
        return place, (PEAKS, place, place + 1)

    def stash(self, layer: Layer) -> Stash:
        """What is kept of a layer's batch norm, and with it."""
        return self.memory.stash[layer.name]


def shape_entry(
    chip: Chip,
    memory: MemoryMap,
    grid: PixelGrid,
    images: int,
    groups: int | None,
    of: int | None,
) -> int:
    """Entry of the shape table for ``images`` of a tensor of ``grid``, whose stash has all, and
    ``of`` so many in the plane memory; or for ``groups`` of channels of it."""
    layout, planes = grid.layout(of or images, 1), memory.stash_planes
    blocks = grid.blocks * memory.images
    shape = Shape(
        entry=0,
        channel_groups=groups or grid.groups,
        **grid.tiling(images),
        plane_stride=grid.groups * (layout.group_stride | 1),
        plane_group_stride=layout.group_stride | 1,
        stash_stride=grid.groups * blocks,
        stash_group_stride=blocks,
        mask_plane=planes.mask,
        activation_plane=planes.activations,
        residual_plane=planes.residual,
    )
    return chip.shape(shape)


def stash_span(stash: Stash, images: range) -> Span:
    return stash.name, images.start, images.stop
