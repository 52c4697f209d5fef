"""Tracks the contents of the on-chip memories while a program is written."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import Pattern

NEVER = -1
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Place:
    """The place of an item. If ``fresh``, it must be loaded, after the end of batch ``after``."""

    address: int
    fresh: bool
    after: int


class Residency:
    """A memory of ``size`` words; new items overwrite the least recently used.

    Item i, in the order of addresses, is words ``_first[i] .. _end[i] - 1``, last used by batch
    ``_last[i]``. A large memory holds thousands of items, and a program needs thousands, so they
    are arrays and all candidate places are compared at once. The remains of a partly overwritten
    item are an item, too: they may still be in use when their place is loaded again.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._first, self._end, self._last = (np.zeros(0, np.int64) for _ in range(3))
        self._keys: list[Hashable | None] = []
        self._address: dict[Hashable, int] = {}

    def need(self, key: Hashable, words: int, batch: int) -> Place:
        """The place in which batch ``batch`` finds ``key``."""
        if key in self._address:
            address = self._address[key]
            self._last[np.searchsorted(self._first, address)] = batch
            return Place(address, False, NEVER)
        if words > self.size:
            raise AssertionError(f"{words} words in a memory of {self.size}")
        address, begin, stop = self._choose(words)
        after = int(self._last[begin:stop].max(initial=NEVER))
        if after == batch:
            raise AssertionError(f"{words} words do not fit beside what batch {batch} uses")
        self._replace(begin, stop, key, address, address + words, batch)
        return Place(address, True, after)

    def _choose(self, words: int) -> tuple[int, int, int]:
        """The best address for ``words``, and the items that it evicts: (address, begin, stop).

        Prefers the least recently used items, then the fewest evicted words, then the lowest
        address.

        If even the most recently used item must go, an end of the memory is preferred to the fewest
        evicted words: an item in the middle with too little room on both sides would block
        everything that follows, and nothing could be loaded while it is in use.
        """
        top = self.size - words
        starts = np.unique(np.concatenate([[0, top], self._end, self._first - words]))
        starts = starts[(starts >= 0) & (starts <= top)]
        begin = np.searchsorted(self._end, starts, side="right")
        stop = np.searchsorted(self._first, starts + words, side="left")
        last = _largest(self._last, begin, stop)
        inside = (last == self._last.max(initial=NEVER)) & (starts != 0) & (starts != top)
        best = np.lexsort((starts, stop - begin, inside, last))[0]
        return int(starts[best]), int(begin[best]), int(stop[best])

    def _replace(
        self, begin: int, stop: int, key: Hashable, address: int, end: int, batch: int
    ) -> None:
        """Items ``begin .. stop - 1`` make room for ``key``; their words outside its place stay."""
        items: list[tuple[int, int, int, Hashable | None]] = [(address, end, batch, key)]
        for i in range(begin, stop):
            self._address.pop(self._keys[i], None)
        if begin < stop and self._first[begin] < address:
            items.insert(0, (int(self._first[begin]), address, int(self._last[begin]), None))
        if begin < stop and self._end[stop - 1] > end:
            items.append((end, int(self._end[stop - 1]), int(self._last[stop - 1]), None))
        firsts, ends, lasts, keys = zip(*items, strict=True)
        self._first = np.concatenate([self._first[:begin], firsts, self._first[stop:]])
        self._end = np.concatenate([self._end[:begin], ends, self._end[stop:]])
        self._last = np.concatenate([self._last[:begin], lasts, self._last[stop:]])
        self._keys[begin:stop] = keys
        self._address[key] = address


def _largest(values: Numbers, begin: Numbers, stop: Numbers) -> Numbers:
    """The greatest of ``values[begin:stop]`` for each pair of these; `NEVER` if it is empty."""
    padded = np.append(values, NEVER)  # every ``stop`` is then an index
    found = np.maximum.reduceat(padded, np.stack([begin, stop], axis=1).reshape(-1))[::2]
    return np.where(begin < stop, found, NEVER)


class PatternTable:
    """The feeder's pattern table: runs of entries stay until their room is needed; the oldest go
    first."""

    def __init__(self, entries: int) -> None:
        self._size, self._next = entries, 0
        self._held: dict[tuple[Pattern, ...], int] = {}

    def need(self, entries: tuple[Pattern, ...]) -> tuple[int, bool]:
        """(first entry, whether the run must be written)."""
        if entries in self._held:
            return self._held[entries], False
        count = len(entries)
        if count > self._size:
            raise AssertionError(f"{count} pattern entries, the table has {self._size}")
        first = self._next if self._next + count <= self._size else 0
        self._held = {
            key: start
            for key, start in self._held.items()
            if start + len(key) <= first or first + count <= start
        }
        self._held[entries] = first
        self._next = first + count
        return first, True
