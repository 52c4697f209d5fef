"""The search for Eyeriss' loop blocking: every way to split the three loops between DRAM, global
buffer and registers, and every innermost loop of the two upper levels, in NumPy arrays.

How often a tensor is fetched over a level depends on the one loop that does not belong to it: its
trips count, unless it is innermost, as the tensor then stays. A level whose loops do not change a
tensor fetches it as often as the level above.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fractrain.hw.contract.errors import ParameterError
from fractrain.sim.machines.eyeriss.row_stationary import (
    OUTPUT_MAPS,
    UNRELATED,
    Passes,
    Triple,
    divisors,
)

Counts = npt.NDArray[np.int64]

DRAM, BUFFER, ARRAY = 200, 6, 2
"""Energy of a word, where a multiplication and a word of a register file are 1 each (TETRIS)."""


@dataclass(frozen=True)
class Blocking:
    """The best of a search.

    cost : in units of a multiplication, without what every blocking has
    dram_fetches, buffer_fetches : how often each tensor comes from DRAM and from the buffer; of
        outputs, how often they are written, and one time less they are read
    """

    cost: float
    dram_fetches: Triple
    buffer_fetches: Triple


def accesses(fetches: Triple) -> Triple:
    """How often a tensor is moved: as often as fetched, but outputs both ways: 2·f − 1."""
    filters, inputs, outputs = fetches
    return filters, inputs, 2 * outputs - 1


def best_blocking(passes: Passes, buffer_words: int, register_words: int) -> Blocking:
    """The blocking with the least energy; nothing bypasses the buffer.

    Raises `ParameterError` if none fits into the memories.
    """
    # trips[level, loop, choice] of DRAM, buffer, registers
    splits = [_splits(each) for each in passes.trips]
    counts = np.meshgrid(*(np.arange(len(each)) for each in splits), indexing="ij")
    trips = np.stack(
        [each[chosen.ravel()].T for each, chosen in zip(splits, counts, strict=True)], axis=1
    )
    inside = _held(trips[1] * trips[2], passes.buffer_unit)
    fits = (inside <= buffer_words) & (_held(trips[2], passes.register_unit) <= register_words)
    if not fits.any():
        allowed = f"memories for one pass: {sum(passes.buffer_unit):,} words in the buffer, "
        allowed += f"{sum(passes.register_unit):,} in each register file"
        raise ParameterError("memories", f"{buffer_words:,} and {register_words:,}", allowed)
    trips = trips[:, :, fits]
    found = [_cheapest(passes, trips, inner) for inner in itertools.product(range(3), range(3))]
    return min(found, key=lambda each: each.cost)


def _splits(trips: int) -> Counts:
    """``[choice, level]``: all triples with this product."""
    return np.array(
        [
            (outer, middle, trips // outer // middle)
            for outer in divisors(trips)
            for middle in divisors(trips // outer)
        ],
        np.int64,
    )


def _held(trips: Counts, unit: Triple) -> Counts:
    """Words on chip, of ``trips[loop, choice]`` passes."""
    total = np.zeros(trips.shape[1], np.int64)
    for unrelated, words in zip(UNRELATED, unit, strict=True):
        total += words * trips.prod(axis=0) // trips[unrelated]
    return total


def _cheapest(passes: Passes, trips: Counts, inner: tuple[int, int]) -> Blocking:
    """With these innermost loops at DRAM and buffer."""
    found = fetches(trips, inner)
    cost = np.zeros(trips.shape[2])
    for tensor, (from_dram, from_buffer) in enumerate(found):
        again, nearer = from_dram, from_buffer
        if tensor == OUTPUT_MAPS:
            again, nearer = 2 * from_dram - 1, 2 * from_buffer - 1
        near = BUFFER * passes.buffer_words[tensor] + ARRAY * passes.array_words[tensor]
        cost += float(DRAM * passes.dram_words[tensor]) * again + float(near) * nearer
    best = int(cost.argmin())
    first, second, third = ((int(dram[best]), int(near[best])) for dram, near in found)
    return Blocking(
        float(cost[best]), (first[0], second[0], third[0]), (first[1], second[1], third[1])
    )


def fetches(trips: Counts, inner: tuple[int, int]) -> list[tuple[Counts, Counts]]:
    """Of each tensor, from DRAM and from the buffer: how often each of its words.

    trips[level, loop, choice] : of the loops at DRAM and buffer
    inner : the innermost loop of each of the two levels
    """
    found = []
    for unrelated in UNRELATED:
        changes = trips[:2].prod(axis=1) > trips[:2, unrelated]
        again = [
            np.ones_like(trips[0, 0]) if inner[level] == unrelated else trips[level, unrelated]
            for level in range(2)
        ]
        from_dram = np.where(changes[0], again[0], 1)
        from_buffer = np.where(changes[1], trips[0, unrelated] * again[1], from_dram)
        found.append((from_dram, from_buffer))
    return found
