"""The feeder's window: nine slots of P pixels, filled by pairs of reads of the plane memory."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import Pattern, Variant, Zero
from fractrain.hw.contract.window import QUARTERS, SLOTS

NOTHING = -1
"""In a source map: the pixel is 0."""

Indices = NDArray[np.intp]


def variant_sources(variant: Variant, pixels: int, row: int) -> Indices:
    """The pixel of the block that each pixel of ``variant`` shows, or `NOTHING`."""
    place, half = np.arange(pixels), np.arange(pixels // 2)
    x = place % row
    if variant is Variant.STRAIGHT:
        return place
    if variant is Variant.RIGHT:
        return np.where(x == 0, NOTHING, place - 1)
    if variant is Variant.LEFT:
        return np.where(x == row - 1, NOTHING, (place + 1) % pixels)
    if variant is Variant.EVEN:
        return np.tile(2 * half, 2)
    if variant is Variant.ODD:
        return np.tile(2 * half + 1, 2)
    if variant is Variant.ODD_RIGHT:
        return np.tile(np.where(half % row == 0, NOTHING, 2 * half - 1), 2)
    return np.full(pixels, pixels - 1 if variant is Variant.FROM_LEFT else 0)


@dataclass(frozen=True)
class SlotWrite:
    """Pixels ``target`` of slot ``slot`` become the block's pixels ``source`` (or 0)."""

    slot: int
    target: Indices
    source: Indices


@dataclass(frozen=True)
class Read:
    """One read of a pattern entry, with its effect on the window worked out."""

    offset: int
    zero: int
    writes: tuple[SlotWrite, ...]

    def is_zero(self, top: NDArray, bottom: NDArray, left: NDArray, right: NDArray) -> NDArray:
        """At which places the read gives zeros, from their flags."""
        result = np.full(top.shape, bool(self.zero & Zero.ALWAYS))
        for bit, flag in (
            (Zero.TOP, top),
            (Zero.BOTTOM, bottom),
            (Zero.LEFT, left),
            (Zero.RIGHT, right),
        ):
            if self.zero & bit:
                result |= flag
        return result


def reads(entry: Pattern, pixels: int, row: int) -> list[Read]:
    """The reads of ``entry``, A then B: the later one wins."""
    result = []
    if entry.a_enable:
        result.append(
            _read(
                (entry.a_offset, entry.a_zero),
                (entry.a_variants, entry.a_quarters, entry.a_rotations),
                pixels,
                row,
            )
        )
    if entry.b_enable:
        result.append(
            _read(
                (entry.b_offset, entry.b_zero),
                (entry.b_variants, entry.b_quarters, entry.b_rotations),
                pixels,
                row,
            )
        )
    return result


@functools.lru_cache(1 << 10)  # a step has a few dozen, each of them thousands of times
def _read(where: tuple[int, int], what: tuple[int, int, int], pixels: int, row: int) -> Read:
    variants, enabled, rotations = what
    writes = []
    for slot in range(SLOTS):
        variant = Variant(variants >> (3 * (slot % 3)) & 7)
        rotation = rotations >> (2 * slot) & 3
        sources = np.roll(variant_sources(variant, pixels, row), -rotation * (pixels // QUARTERS))
        targets = [
            _targets(variant, quarter, pixels // QUARTERS)
            for quarter in range(QUARTERS)
            if enabled >> (QUARTERS * slot + quarter) & 1
        ]
        if targets:
            target = np.concatenate(targets)
            writes.append(SlotWrite(slot, target, sources[target]))
    return Read(*where, tuple(writes))


def _targets(variant: Variant, quarter: int, size: int) -> Indices:
    """The pixels of the slot that are written when ``quarter`` is enabled."""
    first = quarter * size
    if variant is Variant.FROM_LEFT:
        return np.array([first])
    if variant is Variant.FROM_RIGHT:
        return np.array([first + size - 1])
    return np.arange(first, first + size)


def apply(read: Read, blocks: NDArray, window: NDArray) -> None:
    """Write ``blocks[place, pixel, channel]`` into ``window[place, slot, pixel, channel]``."""
    for write in read.writes:
        values = blocks[:, write.source]
        values[:, write.source == NOTHING] = 0
        window[:, write.slot, write.target] = values
