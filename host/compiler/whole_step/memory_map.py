"""Where the step's tensors are in external memory."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.host.compiler.layouts import align
from fractrain.host.compiler.tensors import KernelLayout
from fractrain.host.compiler.whole_step.grids import PixelGrid, StageGrids
from fractrain.host.compiler.whole_step.network import (
    Block,
    Layer,
    Output,
    ResidualNetwork,
    Segment,
    Stem,
)
from fractrain.host.compiler.whole_step.sheets import Sheet, sheets_of
from fractrain.host.compiler.whole_step.templates import kernel_layout
from fractrain.host.graph.step import StepGraph
from fractrain.hw.contract.numerics import MAX_OUTER_BITS, MIN_RESIDUAL_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import RECORD_BYTES

SUM_BYTES = 4
WEIGHT_BYTES = 4
PEAK_BYTES = 8
CHANNEL_BYTES = 16
"""Of two sums of a channel."""
PIXEL_PLANES = 8


@dataclass(frozen=True)
class Region:
    """Bytes of memory."""

    address: int
    size: int

    @property
    def end(self) -> int:
        return self.address + self.size


@dataclass(frozen=True)
class StashPlanes:
    """First planes of what a tensor of the stash consists of, x̂ being at 0, and their number."""

    mask: int
    activations: int
    residual: int
    end: int


@dataclass(frozen=True)
class Stash:
    """Planes of a tensor of all images; ``planes`` of them."""

    name: str
    address: int
    grid: PixelGrid
    images: int
    planes: int

    @property
    def group_stride(self) -> int:
        """Words from a group of channels to the next."""
        return self.grid.blocks * self.images

    @property
    def plane_stride(self) -> int:
        return self.grid.groups * self.group_stride

    def at(self, image: int, plane: int = 0) -> int:
        """Of the first byte of what begins with ``image``."""
        words = plane * self.plane_stride + image * self.grid.blocks
        return self.address + self.grid.parameters.word_bytes * words

    @property
    def size(self) -> int:
        return self.planes * self.plane_stride * self.grid.parameters.word_bytes


@dataclass(frozen=True)
class Weights:
    """Of a layer: the ``master`` weights and, ``velocity`` bytes behind, their momenta; their
    ``planes`` at ``address``."""

    master: int
    velocity: int
    address: int
    layout: KernelLayout


class MemoryMap:
    """Addresses of everything, from ``base`` on."""

    def __init__(
        self, p: Parameters, network: ResidualNetwork, grids: list[StageGrids], base: int
    ) -> None:
        self.p, self.network, self.grids = p, network, grids
        self.images = network.graph.batch
        self._end = self.base = align(p, base)
        self._lay_out_host()
        first = self._end
        self._lay_out_stash()
        self.stash_region = Region(first, self._end - first)
        """What the way back needs, and errors between stages: all that would be in a memory of its
        own, if there were one."""

    @property
    def end(self) -> int:
        """First byte behind it."""
        return self._end

    def add(self, size: int) -> Region:
        """``size`` bytes behind all others."""
        region = Region(self._end, size)
        self._end = align(self.p, region.end)
        return region

    # -- what the host reads and writes ------------------------------------------------------

    def _lay_out_host(self) -> None:
        """Records in one piece first; weights, pixels, statistics, sums, peaks."""
        p, network = self.p, self.network
        self.sheets: dict[str, tuple[Sheet, Region]] = {}
        for sheet in sheets_of(p, network):
            self.sheets[sheet.name] = sheet, self.add(sheet.records * RECORD_BYTES)
        pixels = self.grids[0].images
        self.pixels = self._stash("pixels", pixels, PIXEL_PLANES)
        classes = self.grids[-1].outputs
        self.spread = self.add(self.images * classes.groups * p.line_bytes)
        self.weights = {layer.name: self._weights(layer) for layer in network.layers}
        self.statistics: dict[tuple[str, bool], Region] = {}
        for stage, grid in zip(network.stages, self.grids, strict=True):
            chunks = len(chunks_of(network.graph, grid.outputs))
            for layer in (each for segment in stage.segments for each in segment.layers):
                for backward in (False, True):
                    size = grid.outputs.padded * statistics_bytes(backward=backward)
                    self.statistics[layer.name, backward] = self.add(chunks * size)
        self.pooled = {
            segment.name: self.add(SUM_BYTES * self.images * grid.outputs.padded)
            for stage, grid in zip(network.stages, self.grids, strict=True)
            for segment in stage.segments
            if segment.output.pooled
        }

    def _weights(self, layer: Layer) -> Weights:
        bits = self.network.graph.slots[layer.slot].widest.weight
        layout = kernel_layout(self.p, layer.geometry, bits)
        numbers = WEIGHT_BYTES * layout.digit_stride * self.p.block_bits
        velocity = align(self.p, numbers)
        master = self.add(2 * velocity)
        planes = self.add(layout.words * self.p.word_bytes)
        return Weights(master.address, velocity, planes.address, layout)

    def add_peaks(self, words: int) -> Region:
        """Of ``words`` peaks, in whole blocks."""
        return self.add(-(-words * PEAK_BYTES // self.p.block_bytes) * self.p.block_bytes)

    def input_of(self, block: Block) -> Stash:
        """What the segment before ``block`` has left."""
        return self.stash[self.network.before(block).last.name]

    # -- what the way back needs -----------------------------------------------------------

    def _lay_out_stash(self) -> None:
        """By segment: x̂ between the convolutions, of a shortcut, and all of the output. Errors of a
        stage, 16 bits."""
        graph = self.network.graph
        most = max(each.widest.activation for each in graph.slots)
        activations = MAX_OUTER_BITS + 1
        self.stash_planes = StashPlanes(
            MAX_OUTER_BITS,
            activations,
            activations + most,
            activations + most + MIN_RESIDUAL_BITS,
        )
        self.stash: dict[str, Stash] = {}
        self.errors: list[Region] = []
        for stage, grids in zip(self.network.stages, self.grids, strict=True):
            grid = grids.outputs
            for segment in stage.segments:
                self._stash_of(segment, grid)
            self.errors.append(self.add(grid.lines(self.images) * self.p.line_bytes))

    def _stash_of(self, segment: Segment, grid: PixelGrid) -> None:
        if not isinstance(segment, Stem):
            bits = inner_bits(self.network.graph, segment.slot)
            self.stash[segment.first.name] = self._stash(f"stash {segment.first.name}", grid, bits)
            if segment.shortcut is not None:
                name = segment.shortcut.name
                self.stash[name] = self._stash(f"stash {name}", grid, MAX_OUTER_BITS)
        name = segment.last.name
        self.stash[name] = self._stash(f"stash {name}", grid, self._planes_of(segment.output))

    def _planes_of(self, output: Output) -> int:
        planes = self.stash_planes
        if output.top:
            return planes.end
        return planes.activations if output.form_slot is None else planes.residual

    def _stash(self, name: str, grid: PixelGrid, planes: int) -> Stash:
        found = Stash(name, self._end, grid, self.images, planes)
        self.add(found.size)
        return found


def statistics_bytes(*, backward: bool) -> int:
    """What CHANNEL writes of each channel."""
    return CHANNEL_BYTES if backward else RECORD_BYTES + CHANNEL_BYTES


def chunks_of(graph: StepGraph, grid: PixelGrid) -> list[range]:
    """Images of each chunk of a tensor."""
    assert graph.options.integers is not None
    size = graph.options.integers.chunk(graph.batch, grid.height, grid.width)
    return [range(first, min(first + size, graph.batch)) for first in range(0, graph.batch, size)]


def inner_bits(graph: StepGraph, slot: int) -> int:
    """The most of x̂ inside a block of ``slot``."""
    assert graph.options.integers is not None
    return max(graph.options.integers.inner[: graph.slots[slot].widest.activation])
