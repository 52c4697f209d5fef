"""What is where in the on-chip memories while a program is being written."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from hw.contract.commands import Pattern

NEVER = -1


@dataclass
class Resident:
    """Words ``address .. address + words - 1`` hold ``key``, last used by batch ``last_use``.

    None: what is left of something that was partly overwritten, which may still be in use when
    its place is loaded anew.
    """

    key: Hashable | None
    address: int
    words: int
    last_use: int


@dataclass(frozen=True)
class Place:
    """Where something is. If ``fresh`` it must be loaded, once batch ``after`` is over."""

    address: int
    fresh: bool
    after: int


class Residency:
    """A memory of ``size`` words; new things overwrite what was used longest ago."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._items: list[Resident] = []

    def need(self, key: Hashable, words: int, batch: int) -> Place:
        """Where batch ``batch`` finds ``key``."""
        for item in self._items:
            if item.key == key:
                item.last_use = batch
                return Place(item.address, False, NEVER)
        address = min(self._candidates(words), key=lambda start: self._cost(start, words))
        evicted = self._overlapping(address, words)
        after = max((item.last_use for item in evicted), default=NEVER)
        if words > self.size or after == batch:
            raise AssertionError(f"{words} words do not fit beside what batch {batch} uses")
        self._items = [item for item in self._items if item not in evicted]
        for item in evicted:
            self._keep(item, item.address, address)
            self._keep(item, address + words, item.address + item.words)
        self._items.append(Resident(key, address, words, batch))
        return Place(address, True, after)

    def _keep(self, item: Resident, start: int, end: int) -> None:
        """Words ``start .. end - 1`` of an evicted item are not overwritten yet."""
        if start < end:
            self._items.append(Resident(None, start, end - start, item.last_use))

    def _candidates(self, words: int) -> list[int]:
        starts = {0, self.size - words}
        for item in self._items:
            starts |= {item.address + item.words, item.address - words}
        return sorted(start for start in starts if 0 <= start <= self.size - words)

    def _cost(self, start: int, words: int) -> tuple[int, bool, int]:
        """Least recently used first, then what evicts least.

        If even what was used last must go, an end of the memory comes before what evicts least:
        something in the middle that leaves too little on both sides would be in the way of all
        that follows, and nothing could be loaded any more while it is in use.
        """
        evicted = self._overlapping(start, words)
        last = max((item.last_use for item in evicted), default=NEVER)
        newest = max((item.last_use for item in self._items), default=NEVER)
        inside = last == newest and start not in (0, self.size - words)
        return last, inside, len(evicted)

    def _overlapping(self, start: int, words: int) -> list[Resident]:
        return [
            item
            for item in self._items
            if item.address < start + words and start < item.address + item.words
        ]


class PatternTable:
    """The feeder's pattern table: runs of entries stay until the room is needed, oldest first."""

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
