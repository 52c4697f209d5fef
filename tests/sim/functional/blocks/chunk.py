"""What the programs of a chunk share: where its tensors are, and how they are brought."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fractrain.host.compiler.tensors import PixelLayout
from fractrain.hw.contract.commands import Command, Load, Memory, Recall, Recalled, Tag
from fractrain.hw.contract.precision import Operand
from tests.sim.functional.blocks.machine_block import MachineBlock
from tests.sim.functional.blocks.memory_map import BANKS, Stash
from tests.sim.functional.blocks.resident import Convolutions, Planes
from tests.sim.functional.blocks.tokens import Program
from tests.sim.functional.vector_bench import Grid

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


IN_MEMORY = ("stash", "statistics", "E")
"""First words of what each chunk has a place of its own for in memory."""
SHARED = ("columns", "gradients", "weights")
"""Of what chunks share, or have at different addresses by name."""


class ChunkProgram(Program):
    """``program``, whose commands read and write what belongs to chunk ``number``."""

    def __init__(self, program: Program, number: int) -> None:
        super().__init__()
        self.entries, self._number = program.entries, number

    def add(self, command: Command, reads: Iterable[str] = (), writes: Iterable[str] = ()) -> None:
        super().add(command, map(self._own, reads), map(self._own, writes))

    def _own(self, name: str) -> str:
        first = name.split()[0]
        if first in SHARED:
            return name
        return f"{name} of {self._number if first in IN_MEMORY else self._number % BANKS}"


class Chunk:
    """Chunk ``number`` of ``block``: its commands go to ``program``, a few at each step of
    `phases`."""

    def __init__(self, block: MachineBlock, program: Program, number: int) -> None:
        self.block, self.number = block, number
        self.program: Program = ChunkProgram(program, number)
        self.case, self.chip, self.p = block.case, block.chips[number % BANKS], block.p
        self.first, self.images = block.chunks[number]
        self.convolutions = Convolutions(self.p, self.program)

    @abstractmethod
    def phases(self) -> Iterator[None]:
        """Writes the commands of the next phase."""

    def grid(self, at: str) -> Grid:
        """Of the input of convolution ``at``."""
        return self.chip.grid(at, self.images)

    def shape(self, at: str) -> int:
        return self.chip.shape_entry(at, self.images)

    def planes(self, name: str, at: str, bits: int = 8) -> Planes:
        """A tensor in the plane memory."""
        grid = self.grid(at)
        size = grid.height, grid.width
        layout = PixelLayout(self.p, self.images, grid.channels, size, grid.row_width, bits)
        assert layout.group_stride == grid.blocks
        return Planes(f"planes {name}", self.chip.planes[name], layout)

    @property
    def pixels(self) -> int:
        """Of a channel behind the convolutions."""
        height, width = self.case.geometry("first").output
        return self.images * height * width

    def load(self, planes: Planes, stash: str, plane: int, header: Mapping[str, Any]) -> None:
        """A tensor of the stash, from ``plane`` on, as an operand of the array."""
        where = self.block.stash[stash]
        grid = where.grid
        load = Load(
            **header,
            memory=Memory.PLANES,
            address=where.address(self.first, plane),
            digit_stride=grid.groups * grid.blocks,
            run_stride=grid.blocks,
            runs=grid.groups,
            words=planes.layout.group_stride,
            destination=planes.address,
            destination_digit_stride=planes.stride,
            destination_run_stride=planes.group_stride,
        )
        self.program.add(load, {f"stash {stash}"}, {planes.name})

    def recall(self, stash: str, side: str, kind: Recalled, **given: Any) -> None:
        """A tensor of the stash, to the side memory."""
        where = self.block.stash[stash]
        grid = where.grid
        recall = Recall(
            **given,
            kind=kind,
            address=where.address(self.first),
            mask_plane=Stash.MASK,
            plane_stride=grid.groups * grid.blocks,
            group_stride=grid.blocks,
            channel_groups=grid.groups,
            blocks=grid.blocks // self.case.images * self.images,
            destination=self.chip.side[side],
        )
        self.program.add(recall, {f"stash {stash}"}, {side})
