"""Tensors as lines and planes: rows, blocks, tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fractrain.host.compiler.tensors import PixelLayout
from fractrain.host.compiler.whole_step.network import NetworkStage, ResidualNetwork
from fractrain.host.compiler.whole_step.refusal import DoesNotFit
from fractrain.hw.contract.commands import RowPixels
from fractrain.hw.contract.parameters import Parameters

PARTS = {4: RowPixels.QUARTER, 2: RowPixels.HALF}


@dataclass(frozen=True)
class PixelGrid:
    """Tensors ``[images, channels, height, width]`` with rows of ``row_width`` pixels."""

    parameters: Parameters
    channels: int
    height: int
    width: int
    row_width: int

    @property
    def groups(self) -> int:
        return -(-self.channels // self.parameters.block.channels)

    @property
    def padded(self) -> int:
        """Channels, in whole groups."""
        return self.groups * self.parameters.block.channels

    @property
    def blocks(self) -> int:
        """Of a group of one image."""
        return self.layout(1, 1).blocks

    def lines(self, images: int) -> int:
        return self.padded * self.blocks * images

    def layout(self, images: int, bits: int) -> PixelLayout:
        size = self.height, self.width
        return PixelLayout(self.parameters, images, self.channels, size, self.row_width, bits)

    def tiling(self, images: int) -> dict[str, Any]:
        """Fields of the tiles that its lines are."""
        pixels, layout = self.parameters.array.rows, self.layout(images, 1)
        across, down = layout.width_blocks, layout.block_rows
        return {
            "row_pixels": PARTS.get(pixels // min(self.row_width, pixels), RowPixels.WHOLE),
            "tiles_x": across,
            "tiles_y": down,
            "images": images,
            "valid_x": self.width - (across - 1) * pixels,
            "valid_y": self.height - (down - 1) * layout.rows_per_block,
        }


@dataclass(frozen=True)
class StageGrids:
    """``images``: of what the stage's first convolution reads; ``outputs``: of all behind it."""

    images: PixelGrid
    outputs: PixelGrid


def stage_grids(p: Parameters, network: ResidualNetwork) -> list[StageGrids]:
    """Of each stage: rows of a tensor are as many times as wide as those behind it as the stride
    is.

    Raises `DoesNotFit` for pictures of which that leaves a tile empty, or whose errors cannot be
    rounded at random.
    """
    found: list[StageGrids] = []
    row = _narrowest(p.array.rows, network.stages[-1].shape[2])
    for stage in reversed(network.stages):
        geometry = stage.segments[0].layers[0].geometry
        outputs = _grid(p, stage, (geometry.filters, *geometry.output), row)
        _check_rows(outputs, stage)
        row *= geometry.stride
        images = _grid(p, stage, (geometry.channels, *geometry.size), row)
        found.insert(0, StageGrids(images, outputs))
    return found


def _narrowest(pixels: int, width: int) -> int:
    """Of rows: quarters and halves of a block, or whole blocks."""
    parts = (each for each in (pixels // 4, pixels // 2) if each >= width)
    return next(parts, -(-width // pixels) * pixels)


def _grid(p: Parameters, stage: NetworkStage, shape: tuple[int, int, int], row: int) -> PixelGrid:
    channels, height, width = shape
    grid = PixelGrid(p, channels, height, width, row)
    if not width <= row < width + p.array.rows:
        allowed = f"{row - p.array.rows + 1}..{row} pixels, as those behind it"
        raise DoesNotFit(f"width of the pictures of the {stage.name}", width, allowed)
    return grid


def _check_rows(grid: PixelGrid, stage: NetworkStage) -> None:
    """As APPLY takes them: one tile filled whole, to a half or to a quarter, or whole blocks."""
    row, pixels = grid.row_width, grid.parameters.array.rows
    parts = (row,) if row > pixels else (row, row // 2, row // 4)
    if grid.width not in parts:
        allowed = f"{', '.join(map(str, parts))} pixels in rows of {row}"
        raise DoesNotFit(f"width of the errors of the {stage.name}", grid.width, allowed)
