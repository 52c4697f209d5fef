"""Energy of a layer on Bit Fusion, configuration bf_e: the constants and what they are charged for.

    core    235.104 pJ for a cycle without a stall
    DRAM    15 pJ for a bit
    SRAM    by tensor, for a bit read or written: fills, drains and what the array reads and writes

No leakage. The array's order is output-stationary: each output is read and written once for each
tile of inputs, each product reads its two operands. The published model takes the cheapest of
input-, output- and weight-stationary order; with operands of up to 16 bits that is always this one,
as outputs are 32 bits wide (tests/sim/machines compares all three).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fractrain.sim.machines.bit_fusion.mapping import OUTPUT_BITS, Counts, Tiles
from fractrain.sim.machines.work import Layer

__all__ = ["CORE", "DRAM", "SRAM", "picojoules"]


class Access(NamedTuple):
    """pJ for a bit."""

    read: float
    write: float


CORE = 235.104
"""pJ for a cycle."""

DRAM = 15.0
"""pJ for a bit."""

SRAM = {
    "weights": Access(0.02137, 0.02892),
    "activations": Access(0.05947, 0.11370),
    "outputs": Access(0.03316, 0.07308),
}
"""65,536, 32,768 and 16,384 bytes (bf_e)."""


def picojoules(
    layer: Layer,
    tiles: Tiles,
    bits: tuple[int, int],
    halves: tuple[int, int],
    compute: Counts,
    moved: Mapping[str, Counts],
) -> npt.NDArray[np.float64]:
    """Of each mapping.

    bits : of activations and weights
    halves : each operand is read once for each half of the other (above 8 bits; 1 up to there)
    compute : cycles without stalls
    moved : bits of each tensor between memory and chip; outputs as many in each direction
    """
    outputs = tiles.count * tiles.images * tiles.size**2 * tiles.outputs
    products = outputs * tiles.inputs * layer.kernel**2
    read = {
        "weights": products * bits[1] * halves[0],
        "activations": products * bits[0] * halves[1],
        "outputs": outputs * OUTPUT_BITS + moved["outputs"],
    }
    written = {
        "weights": moved["weights"],
        "activations": moved["activations"],
        "outputs": outputs * OUTPUT_BITS + moved["outputs"],
    }
    total = CORE * compute + DRAM * (sum(moved.values()) + moved["outputs"])
    for name, access in SRAM.items():
        total = total + access.read * read[name] + access.write * written[name]
    found: npt.NDArray[np.float64] = np.asarray(total, np.float64)
    return found
