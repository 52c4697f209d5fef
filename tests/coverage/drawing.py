"""Random numbers, layers, precisions and buses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand, Pass, Precision
from fractrain.sim.cosim.stalls import BusStalls, Stall
from fractrain.sim.memory_model import MemoryModel
from tests.coverage import bins

Target = tuple[str, str, str, str]
"""Kernel, stride, width and padding."""

STEP_PASSES = 10_000
"""Array passes of one step, about, at most."""
PRODUCTS = {"1 bit": 1, "narrow": 8, "wide": 40, "very wide": 140, "mixed": 70}
"""Passes for each pair of operand bits, about, by precision class."""


class Random:
    """What is drawn from a seed."""

    def __init__(self, *seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def chance(self, probability: float) -> bool:
        return bool(self._generator.random() < probability)

    def number(self, low: int, high: int) -> int:
        """``low`` to ``high``, both included."""
        return int(self._generator.integers(low, high, endpoint=True))

    def choice(self, values: Sequence[Any]) -> Any:
        return values[self.number(0, len(values) - 1)]

    def sample(self, values: Sequence[Any], count: int) -> list[Any]:
        """As many different ones, or all, in any order."""
        return [values[index] for index in self._generator.permutation(len(values))[:count]]


def draw_geometry(
    random: Random, parameters: Parameters, target: Target, images: int, *, deep: bool
) -> Geometry:
    """A layer of ``target``; ``deep`` ones have more channels or pixels than fit on the chip."""
    kernel, stride, width, padding = target
    low, high = bins.width_range(width, parameters.array.rows)
    most = parameters.block.channels * 12 if deep else parameters.block.channels * 5 // 2
    while True:
        sides = bins.kernel_sides(kernel)
        taps = random.choice(sides), random.choice(sides)
        if kernel == "other" and taps in bins.KERNEL_OF:
            continue
        around, step = random.choice(bins.paddings(padding)), int(stride)
        if kernel == "other" and random.chance(0.1):
            step += 2  # of no target, but a layer
        long = deep and width == "several" and random.chance(0.5)
        columns = high if random.chance(0.2) else random.number(low, 4 * high if long else high)
        rows = random.number(1, 2 if long or random.chance(0.1) else 24 if deep else 9)
        height, breadth = (
            step * (count - 1) + side - 2 * around + random.number(0, step - 1)
            for count, side in zip((rows, columns), taps, strict=True)
        )
        if min(height, breadth) >= 1:
            counts = [_count(random, parameters.block.channels, most) for _ in range(2)]
            return Geometry(images, counts[0], counts[1], (height, breadth), taps, step, around)


def _count(random: Random, channels: int, most: int) -> int:
    """Of channels or filters: less than a block, whole blocks, or any."""
    kind = random.number(0, 9)
    if kind < 3:
        return random.number(1, channels)
    if kind < 6:
        return channels * random.number(1, most // channels)
    return random.number(1, most)


def smaller(g: Geometry, parameters: Parameters, kinds: Sequence[str]) -> Geometry:
    """``g`` with fewer channels, images or rows, so that it takes not too long."""
    products = max(PRODUCTS.get(kind, PRODUCTS["wide"]) for kind in kinds)
    while _passes(g, parameters) * products > STEP_PASSES:
        if max(g.channels, g.filters) > 2 * parameters.block.channels:
            g = replace(g, channels=-(-g.channels // 2), filters=-(-g.filters // 2))
        elif g.images > 2:
            g = replace(g, images=g.images - 2)
        elif g.output[0] > 2 and g.size[0] > g.stride:
            g = replace(g, size=(g.size[0] - g.stride, g.size[1]))
        else:
            break
    return g


def _passes(g: Geometry, parameters: Parameters) -> int:
    """At one bit, about."""
    pixels, channels = parameters.array.rows, parameters.block.channels
    tiles = -(-max(g.output[0] * g.output[1], g.size[0] * g.size[1]) // pixels)
    taps = -(-g.kernel[0] * g.kernel[1] // 9)
    return g.images * tiles * taps * -(-g.channels // channels) * -(-g.filters // channels)


def draw_precision(random: Random, kind: str, which: Pass) -> Precision:
    """Bits with which ``which`` is of ``kind``, and the other passes too if that is possible."""
    if kind == "1 bit":
        return Precision(1, 1, 1)
    if kind == "mixed":
        bits = random.sample([random.number(1, 4), random.number(5, 8), random.number(9, 16)], 3)
        return Precision(*bits)
    low, high = {"narrow": (1, 4), "wide": (5, 8), "very wide": (9, 16)}.get(kind, (1, 9))
    bits = [random.number(low, high) for _ in Operand]
    if kind == "narrow" and bits.count(1) > 1:
        bits = [each + 1 for each in bits]
    if kind in bins.SKIPS:
        bits[which.row if kind == "row skipped" else which.column] = 0
        if random.chance(0.1):
            bits[random.choice(list(Operand))] = 0
    return Precision(*bits)


def draw_bus(random: Random, parameters: Parameters, name: str) -> tuple[MemoryModel, BusStalls]:
    """How memory and result port behave under this name."""
    ideal, ddr = MemoryModel.ideal(), MemoryModel.ddr(parameters)
    if name == "random":
        return _random_memory(random), BusStalls(*(_random_stall(random) for _ in range(7)))
    return {
        "ideal": (ideal, BusStalls()),
        "ddr": (ddr, BusStalls()),
        "short stalls": (ideal, BusStalls.everywhere(0.5)),
        "long stalls": (ddr, BusStalls.everywhere(0.6, mean_run_cycles=30)),
        "slow answers": (ddr, BusStalls(r=Stall(0.8), b=Stall(0.8, mean_run_cycles=20))),
        "slow port": (ideal, BusStalls(port=Stall(0.9))),
    }[name]


def _random_memory(random: Random) -> MemoryModel:
    return MemoryModel(
        bytes_per_cycle=random.choice([None, 4.0, 9.5, 30.0]),
        read_efficiency=random.choice([1.0, 0.8]),
        mixed_efficiency=random.choice([1.0, 0.6]),
        read_latency_cycles=random.choice([1, 3, 20, 90]),
        write_latency_cycles=random.choice([1, 5, 60]),
        accepted_bursts=random.choice([1, 2, 8, 16]),
        write_buffer_beats=random.choice([16, 64, 256]),
    )


def _random_stall(random: Random) -> Stall:
    if random.chance(0.4):
        return Stall()
    return Stall(random.choice([0.1, 0.4, 0.7]), random.choice([None, 5.0, 40.0]))
