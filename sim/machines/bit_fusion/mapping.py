"""Tiles and loop orders of a convolution on Bit Fusion: all of them at once, in NumPy arrays.

A tile holds b images, o × o outputs, i input channels and c output channels. Five loops go over the
tiles: batch, rows, columns, inputs, outputs. A tensor stays on chip, and grows, from the innermost
loop outwards as long as it fits into half its SRAM; from then on every loop moves it again.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fractrain.sim.machines.work import Layer

Counts = npt.NDArray[np.int64]

BATCH, ROWS, COLUMNS, INPUTS, OUTPUTS = range(5)
LOOPS_OF = {
    "weights": (INPUTS, OUTPUTS),
    "activations": (BATCH, ROWS, COLUMNS, INPUTS),
    "outputs": (BATCH, ROWS, COLUMNS, OUTPUTS),
}
"""Loops that change which part of a tensor is used."""

ORDERS = np.array(
    [each for each in itertools.permutations(range(5)) if each.index(ROWS) < each.index(COLUMNS)]
)
"""``[order, position]``, innermost first. Of the 120, half: tiles are square, so rows and columns
have equally many trips and belong to the same tensors, and can be exchanged."""

OUTPUT_BITS = 32
"""Of an output, also of a partial sum."""


@dataclass(frozen=True)
class Array:
    """``rows`` × ``columns`` fused units, each with ``products`` multiplications a cycle (P), in
    ``passes`` for each product of wide operands."""

    rows: int
    columns: int
    products: int
    passes: int

    @property
    def depth(self) -> int:
        """Products that a column adds up in a cycle: N·P."""
        return self.rows * self.products


@dataclass(frozen=True)
class Tiles:
    """All tiles, one for each entry of its arrays.

    images, size, inputs, outputs : of a tile; ``size`` is both rows and columns
    trips[5] : of the loops
    """

    images: Counts
    size: Counts
    inputs: Counts
    outputs: Counts
    trips: Counts

    @property
    def count(self) -> Counts:
        """How many tiles a layer has."""
        product: Counts = self.trips.prod(axis=0)
        return product


def all_tiles(layer: Layer, columns: int, *, im2col: bool) -> Tiles:
    """Powers of two of images, rows, and channels, cut off at the layer's; output channels in
    multiples of the array's ``columns`` unless ``im2col``."""
    shapes = itertools.product(
        _powers(layer.batch),
        _powers(layer.output),
        _powers(layer.inputs),
        _powers(layer.outputs, 1 if im2col else columns),
    )
    images, size, inputs, outputs = np.array(list(shapes), np.int64).T
    trips = [
        divide_up(whole, part)
        for whole, part in (
            (layer.batch, images),
            (layer.output, size),
            (layer.output, size),
            (layer.inputs, inputs),
            (layer.outputs, outputs),
        )
    ]
    return Tiles(images, size, inputs, outputs, np.stack(trips))


def fitting(tiles: Tiles, fits: npt.NDArray[Any]) -> Tiles:
    """Those of ``tiles`` that ``fits`` marks or numbers."""
    return Tiles(
        tiles.images[fits],
        tiles.size[fits],
        tiles.inputs[fits],
        tiles.outputs[fits],
        tiles.trips[:, fits],
    )


def tile_bits(
    layer: Layer, tiles: Tiles, array: Array, bits: tuple[int, int], *, im2col: bool
) -> dict[str, Counts]:
    """Bits of a tile of each tensor.

    weights      ⌈K²·i / (N·P)⌉·N·P·c·w
    activations  (K + (o−1)·S)²·i·b·a,    im2col: o²·K²·i·b·a
    outputs      o²·⌈c / 32⌉·32·b·32      the array has 32 columns
    """
    taps = layer.kernel**2
    window = (layer.kernel + (tiles.size - 1) * layer.stride) ** 2
    if im2col:
        window = tiles.size**2 * taps
    padded = divide_up(taps * tiles.inputs, array.depth) * array.depth
    columns = divide_up(tiles.outputs, array.columns) * array.columns
    return {
        "weights": padded * tiles.outputs * bits[1],
        "activations": window * tiles.inputs * tiles.images * bits[0],
        "outputs": tiles.size**2 * columns * tiles.images * OUTPUT_BITS,
    }


def compute_cycles(layer: Layer, tiles: Tiles, array: Array, *, im2col: bool) -> Counts:
    """Of the whole layer: tiles·b·⌈c / 32⌉·o²·K²·⌈i / (N·P)⌉, im2col: ⌈K²·i / (N·P)⌉ instead of
    the last two factors; times the passes of wide operands."""
    taps = layer.kernel**2
    if im2col:
        steps = divide_up(taps * tiles.inputs, array.depth)
    else:
        steps = taps * divide_up(tiles.inputs, array.depth)
    columns = divide_up(tiles.outputs, array.columns)
    return tiles.count * tiles.images * columns * tiles.size**2 * steps * array.passes


def movement(
    bits: Counts, trips: Counts, loops: tuple[int, ...], most: int
) -> tuple[Counts, Counts]:
    """``(moved, resident)[tile, order]`` in bits: of a tensor between memory and chip in a layer,
    and of its largest part on the chip.

    bits[tile] : of a tile
    trips[5, tile] : of the loops
    loops : that it depends on
    most : bits that may stay on chip
    """
    shape = len(bits), len(ORDERS)
    moved = np.broadcast_to(bits[:, None], shape).copy()
    resident, stays = moved.copy(), np.ones(shape, bool)
    for order, inner in enumerate(ORDERS):
        # a view of each order's column: no gather of the whole array
        total, kept = moved[:, order], stays[:, order]
        for loop in inner:
            total *= np.where(kept, trips[loop] if loop in loops else 1, trips[loop])
            kept &= total <= most
            np.copyto(resident[:, order], total, where=kept)
    return moved, resident


def divide_up(whole: int | Counts, part: int | Counts) -> Counts:
    """⌈whole / part⌉."""
    return np.asarray(-(-whole // part), np.int64)


def _powers(most: int, unit: int = 1) -> list[int]:
    """1, 2, 4, … times ``unit``, and at last ``most``."""
    found = [unit]
    while found[-1] < most:
        found.append(2 * found[-1])
    return [*found[:-1], most]
