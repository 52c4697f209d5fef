"""Where the tensors of a block are: in memory, and on the chip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from fractrain.host.compiler.tensors import PixelLayout
from fractrain.hw.contract.commands import Shape
from fractrain.hw.contract.parameters import Parameters
from tests.sim.functional.blocks.reference import Case
from tests.sim.functional.vector_bench import Grid, Integers

ALIGNMENT = 1024
MOST_PLANES = 12
COLUMN_WORDS = 256
"""Of weights of a convolution, or of errors, at a time."""

SCALES = ("form", "behind", "inside", "before", "before shortcut", "clear", "same")
"""Scale records of tensors; ``clear`` shifts a stream off, ``same`` leaves it."""

LAYER_SCALES = ("weights", "y", "gain", "rule")
"""Records of each convolution."""


@dataclass(frozen=True)
class Region:
    """Bytes of memory."""

    address: int
    size: int


class Regions:
    """Bytes of memory that are taken, one region behind the other."""

    def __init__(self, p: Parameters) -> None:
        self.size = 0
        self.named: dict[str, Region] = {}

    def add(self, name: str, size: int) -> Region:
        region = self.named[name] = Region(self.size, -(-size // ALIGNMENT) * ALIGNMENT)
        self.size += region.size
        return Region(region.address, size)


@dataclass(frozen=True)
class Stash:
    """Planes of a tensor ``grid`` of the whole batch: x̂ or all of r first, then what follows."""

    PLANES: ClassVar[int] = 40
    MASK: ClassVar[int] = 16
    ACTIVATIONS: ClassVar[int] = 17
    RESIDUAL: ClassVar[int] = 25

    region: Region
    grid: Grid
    word_bytes: int

    def address(self, image: int, plane: int = 0) -> int:
        """Of the first byte of a chunk that begins with ``image``."""
        per_image = self.grid.blocks // self.grid.images
        words = plane * self.grid.groups * self.grid.blocks + image * per_image
        return self.region.address + self.word_bytes * words

    def _layout(self, bits: int) -> PixelLayout:
        grid = self.grid
        size = grid.height, grid.width
        return PixelLayout(grid.p, grid.images, grid.channels, size, grid.row_width, bits)

    def _bytes(self, memory: Any, plane: int, bits: int) -> Any:
        first = self.address(0, plane)
        return memory[first : first + self._layout(bits).words * self.word_bytes]

    def put(self, memory: Any, plane: int, values: Integers, bits: int) -> None:
        self._layout(bits).pack(values, self._bytes(memory, plane, bits))

    def get(self, memory: Any, plane: int, bits: int, *, signed: bool = False) -> Integers:
        return self._layout(bits).unpack(self._bytes(memory, plane, bits), signed=signed)


BANKS = 2
"""Chunks that are on the chip at a time."""


class Chip:
    """Addresses of the on-chip memories, of one of `BANKS` chunks. Records of the host and sums of
    gradients are those of all chunks."""

    def __init__(self, p: Parameters, case: Case, bank: int = 0) -> None:
        self.p, self.case, self.bank = p, case, bank
        lines = max(self.grid(at, case.chunk).lines for at in ("first", "second"))
        # a part takes two lines for each of a tensor
        staging, side = ("Y0", "Y1", "part", ""), ("X0", "X1")
        self.staging = {name: (4 * bank + n) * lines for n, name in enumerate(staging)}
        self.side = {name: (2 * bank + n) * lines for n, name in enumerate(side)}
        words = max(
            (each.blocks | 1) * each.groups * MOST_PLANES
            for each in (self.grid(at, case.chunk) for at in ("first", "second"))
        )
        names = ("a", "a2", "r", "next", "e1", "e2", "es")
        self.planes = {name: (len(names) * bank + n) * words for n, name in enumerate(names)}
        assert p.vector is not None
        assert BANKS * len(staging) * lines <= p.vector.staging_words
        assert BANKS * len(side) * lines <= p.vector.side_words
        assert BANKS * len(names) * words <= p.buffers.plane_words
        self._parameters()
        self._others()

    def _parameters(self) -> None:
        """Records of the host, then those of the chunks; moments."""
        self.records: dict[str, int] = {}
        place = 0
        scales = [*SCALES]
        for name in self.case.names:
            self.records[f"norm {name}"] = place
            place += self.padded(name)
            scales += [f"{name} {each}" for each in LAYER_SCALES]
        for name in scales:
            self.records[name] = place
            place += self.p.word_bytes // 16
        channels = {name: self.padded(name) for name in self.case.names}
        total = sum(channels.values())
        place += self.bank * total
        moments = self.bank * (total + self._channels(self.case.channels))
        self.moments = {"in": moments}
        moments += self._channels(self.case.channels)
        self.chunk_records: dict[str, int] = {}
        for name, count in channels.items():
            self.chunk_records[name], self.moments[name] = place, moments
            place, moments = place + count, moments + count

    def _others(self) -> None:
        self.sums: dict[str, int] = {}
        self.columns: dict[str, int] = {}
        names = (*self.case.names, "gradient")
        beats, words = 0, self.bank * len(names) * COLUMN_WORDS
        for name in names:
            self.columns[name] = words
            words += COLUMN_WORDS
        assert words <= self.p.buffers.column_words
        for name in self.case.names:
            geometry = self.case.geometry(name)
            taps = geometry.kernel[0] * geometry.kernel[1]
            tiles = -(-geometry.channels // self.p.block.channels) * (taps // 2 + 1)
            self.sums[name] = beats
            beats += tiles * -(-geometry.filters // self.p.block.channels) * self.p.beats_per_tile
        assert beats <= self.p.buffers.gradient_words

    def _channels(self, channels: int) -> int:
        count = self.p.block.channels
        return -(-channels // count) * count

    def padded(self, name: str) -> int:
        """Filters of a convolution, in whole groups."""
        return self._channels(self.case.geometry(name).filters)

    # -- shapes ----------------------------------------------------------------------------

    def grid(self, at: str, images: int) -> Grid:
        """Of the input of convolution ``at`` (first, second); rows of the first are twice as wide
        if it has stride 2."""
        case, pixels = self.case, self.p.array.rows
        height, width = case.geometry("first").output
        row = next((each for each in (pixels // 4, pixels // 2, pixels) if each >= width), 0)
        row = row or -(-width // pixels) * pixels
        if at == "first" and case.stride == 2:
            return Grid(self.p, images, case.channels, *case.size, 2 * row)
        if at == "first":
            return Grid(self.p, images, case.channels, *case.size, row)
        return Grid(self.p, images, case.filters, height, width, row)

    def shape_entry(self, at: str, images: int) -> int:
        """Of a full chunk or a short one."""
        return 2 * (at == "second") + (images != self.case.chunk)

    def shapes(self, chunks: list[tuple[int, int]], stash: dict[str, Stash]) -> dict[int, Shape]:
        """All entries, with the strides of the whole batch in the stash."""
        found = {}
        for at, name in (("first", "in"), ("second", "end")):
            whole = stash[name].grid
            for images in {count for _, count in chunks}:
                grid, entry = self.grid(at, images), self.shape_entry(at, images)
                odd = grid.blocks | 1
                found[entry] = grid.shape(
                    entry,
                    plane_stride=odd * grid.groups,
                    plane_group_stride=odd,
                    stash_stride=whole.groups * whole.blocks,
                    stash_group_stride=whole.blocks,
                    mask_plane=Stash.MASK,
                    activation_plane=Stash.ACTIVATIONS,
                    residual_plane=Stash.RESIDUAL,
                )
        return found
