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
COLUMN_WORDS = 128
"""Of weights of a convolution at a time."""

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


class Chip:
    """Addresses of the on-chip memories."""

    def __init__(self, p: Parameters, case: Case) -> None:
        self.p, self.case = p, case
        lines = max(self.grid(at, case.chunk).lines for at in ("first", "second"))
        # a part takes two lines for each of a tensor
        self.staging = {name: n * lines for n, name in enumerate(("Y0", "Y1", "part", ""))}
        self.side = {name: n * lines for n, name in enumerate(("X0", "X1"))}
        words = max(
            (each.blocks | 1) * each.groups * MOST_PLANES
            for each in (self.grid(at, case.chunk) for at in ("first", "second"))
        )
        names = ("a", "a2", "r", "next", "e1", "e2", "es")
        self.planes = {name: n * words for n, name in enumerate(names)}
        assert p.vector is not None
        assert 4 * lines <= p.vector.staging_words and 2 * lines <= p.vector.side_words
        assert len(names) * words <= p.buffers.plane_words
        self._parameters()
        self._others()

    def _parameters(self) -> None:
        names = self.case.names
        self.records: dict[str, int] = {}
        self.chunk_records: dict[str, int] = {}
        self.moments: dict[str, int] = {"in": 0}
        place = moments = 0
        moments += self._channels(self.case.channels)
        for name in names:
            channels = self.padded(name)
            self.records[f"norm {name}"], self.chunk_records[name] = place, place + channels
            self.moments[name] = moments
            place, moments = place + 2 * channels, moments + channels
        scales = [*SCALES]
        for name in names:
            scales += [f"{name} {each}" for each in LAYER_SCALES]
        per_word = self.p.word_bytes // 16
        for name in scales:
            self.records[name] = place
            place += per_word

    def _others(self) -> None:
        self.sums: dict[str, int] = {}
        self.columns: dict[str, int] = {}
        beats = words = 0
        for name in (*self.case.names, "gradient"):
            self.columns[name] = words
            words += COLUMN_WORDS
        for name in self.case.names:
            geometry = self.case.geometry(name)
            taps = geometry.kernel[0] * geometry.kernel[1]
            tiles = -(-geometry.channels // self.p.block.channels) * (taps // 2 + 1)
            self.sums[name] = beats
            beats += tiles * -(-geometry.filters // self.p.block.channels) * self.p.beats_per_tile

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
