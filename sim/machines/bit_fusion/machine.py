"""Bit Fusion as a machine: the mapping with the fewest cycles, and of those with the least
energy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Pass
from fractrain.sim.machines.bit_fusion import mapping
from fractrain.sim.machines.bit_fusion.energy import picojoules
from fractrain.sim.machines.work import Figures, Layer, Work

WIDEST_BITS = 8
"""Of an operand in the published model; its code breaks above."""

NARROWEST_BITS = 2
"""Of a fused unit's bricks: an operand of 1 bit takes as long as one of 2."""

EXTENSION = "operands above 8 bits: two passes for each, an extension of the published model"


@dataclass(frozen=True)
class BitFusion:
    """Bit Fusion, configuration bf_e; its energy is known for these sizes only, so they are fixed.

        P      = ⌊8 / max(a, 2)⌋ · ⌊8 / max(w, 2)⌋      products a unit and cycle
        stalls = max(0, ⌈(D − first − last) / BW⌉ − compute) + ⌈first / BW⌉ + ⌈last / BW⌉
        cycles = compute + stalls

    with D bits between memory and chip (outputs in both directions), BW bits a cycle, ``first`` the
    largest parts of the three tensors on the chip and ``last`` that of the outputs. 3 bits cost
    as much as 4, and 5 to 7 as 8; in memory an operand has its own bits.

    im2col : inputs are laid out as a matrix of windows, as the published model has first layers

    The passes are three convolutions, one after the other: the error pass is `Layer.error`, the
    gradient a 1 × 1 convolution with one output, batch·output² input channels and kernel²·inputs
    images (of several readings the one that fits FracTrain's published table best).

    An operand above 8 bits is an extension: two passes, each with half of it.
    """

    im2col: bool = False

    rows = 16
    columns = 32
    clock_mhz = 500.0
    dram_bits_per_cycle = 192
    sram_bits = {"weights": 65536 * 8, "activations": 32768 * 8, "outputs": 16384 * 8}

    @property
    def name(self) -> str:
        return "bit-fusion"

    def peak(self, bits: tuple[int, int]) -> float:
        """MACs a second."""
        array = _array(self, bits)
        units = array.rows * array.columns
        return units * array.products / array.passes * self.clock_mhz * 1e6

    @property
    def memory_bandwidth(self) -> float:
        """Bytes a second."""
        return self.dram_bits_per_cycle / 8 * self.clock_mhz * 1e6

    def figures(self, work: Work) -> Figures:
        """Raises `ParameterError` for a kernel of which not even the smallest tile fits."""
        return _best(self, as_convolution(work), work.bits)


def as_convolution(work: Work) -> Layer:
    """The convolution that carries out a pass."""
    layer = work.layer
    if work.pass_ is Pass.FORWARD:
        return layer
    if work.pass_ is Pass.ERROR:
        return layer.error
    inputs, images = layer.batch * layer.output**2, layer.kernel**2 * layer.inputs
    return Layer(1, 1, 1, inputs, layer.outputs, images)


def _halves(bits: tuple[int, int]) -> tuple[int, int]:
    """Passes that each operand takes."""
    first, second = (2 if each > WIDEST_BITS else 1 for each in bits)
    return first, second


def _array(machine: BitFusion, bits: tuple[int, int]) -> mapping.Array:
    first, second = (WIDEST_BITS // min(max(each, NARROWEST_BITS), WIDEST_BITS) for each in bits)
    halves = _halves(bits)
    return mapping.Array(machine.rows, machine.columns, first * second, halves[0] * halves[1])


@lru_cache(maxsize=4096)
def _best(machine: BitFusion, layer: Layer, bits: tuple[int, int]) -> Figures:
    array, halves = _array(machine, bits), _halves(bits)
    tiles = mapping.all_tiles(layer, machine.columns, im2col=machine.im2col)
    sizes = mapping.tile_bits(layer, tiles, array, bits, im2col=machine.im2col)
    most = {name: bits_ // 2 for name, bits_ in machine.sram_bits.items()}
    fits = np.logical_and.reduce([sizes[name] <= most[name] for name in most])
    if not fits.any():
        raise ParameterError(
            "layer", layer.text, "one of which the smallest tile fits into half the buffers"
        )
    tiles = mapping.fitting(tiles, fits)
    moved, resident = {}, {}
    for name, loops in mapping.LOOPS_OF.items():
        moved[name], resident[name] = mapping.movement(
            sizes[name][fits], tiles.trips, loops, most[name]
        )
    compute = mapping.compute_cycles(layer, tiles, array, im2col=machine.im2col)
    stalls = _stalls(machine, compute[:, None], moved, resident)
    # the fewest cycles, of those the least energy
    cycles = compute[:, None] + stalls
    tile, order = np.nonzero(cycles == cycles.min())
    chosen = {name: each[tile, order] for name, each in moved.items()}
    candidates = mapping.fitting(tiles, tile)
    energy = picojoules(layer, candidates, bits, halves, compute[tile], chosen)
    best = int(energy.argmin())
    outputs = int(chosen["outputs"][best])
    total = int(cycles.min())
    return Figures(
        macs=layer.macs,
        cycles=total,
        stall_cycles=int(stalls[tile[best], order[best]]),
        seconds=total / (machine.clock_mhz * 1e6),
        dram_read_bits=sum(int(each[best]) for each in chosen.values()),
        dram_write_bits=outputs,
        joules=float(energy[best]) * 1e-12,
        notes=(EXTENSION,) if max(bits) > WIDEST_BITS else (),
    )


def _stalls(
    machine: BitFusion,
    compute: mapping.Counts,
    moved: dict[str, mapping.Counts],
    resident: dict[str, mapping.Counts],
) -> mapping.Counts:
    """Cycles without multiplications, of each tile and order."""
    width = machine.dram_bits_per_cycle
    bits = sum(moved.values()) + moved["outputs"]
    # what is read last is a copy of what is written first, and not what is written at the end: a
    # quirk of the published model
    first, last = sum(resident.values()), resident["outputs"]
    waiting = np.maximum(0, mapping.divide_up(bits - first - last, width) - compute)
    return waiting + mapping.divide_up(first, width) + mapping.divide_up(last, width)
