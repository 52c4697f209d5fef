"""A memory in parts, each of which was used as one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Generic, TypeVar

Part = TypeVar("Part")


class Partition(Generic[Part]):
    """At first one part, ``first``; a part that is divided goes on as two copies of it."""

    def __init__(self, first: Part, copy: Callable[[Part], Part]) -> None:
        self._starts, self._parts, self._copy = [0], [first], copy

    def within(self, start: int, end: int) -> list[Part]:
        """The parts of ``start`` to ``end`` - 1, divided at both."""
        first = self._split(start)
        return self._parts[first : self._split(end)]

    def replace(self, start: int, end: int, part: Part) -> list[Part]:
        """Make ``part`` of them; returns what was there."""
        first = self._split(start)
        stop = self._split(end)
        found = self._parts[first:stop]
        self._starts[first:stop], self._parts[first:stop] = [start], [part]
        return found

    def _split(self, at: int) -> int:
        """Number of the part that begins at ``at``."""
        number = bisect_left(self._starts, at)
        if number == len(self._starts) or self._starts[number] != at:
            self._starts.insert(number, at)
            self._parts.insert(number, self._copy(self._parts[number - 1]))
        return number
