"""Sums that end up in the counters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from fractrain.hw.contract.commands import Tag

CAUSES = ("BUSY", "STALL_OPERAND", "STALL_RESULT", "STALL_MEMORY", "STALL_TOKEN")


class Totals:
    """By tag and counter: cycles of each cause, bytes in each direction."""

    def __init__(self) -> None:
        self._sums: defaultdict[tuple[Tag, str], float] = defaultdict(float)

    def add(self, tag: Tag, counter: str, count: float) -> None:
        self._sums[tag, counter] += max(0.0, count)

    def rounded(self, cycles: int, names: Iterable[str]) -> dict[Tag, dict[str, int]]:
        """All counters; cycles without a cause are OTHER_CYCLES, under the tag OTHER."""
        names = list(names)
        counters = {tag: {name: round(self._sums[tag, name]) for name in names} for tag in Tag}
        explained = sum(counters[tag][cause] for tag in Tag for cause in CAUSES)
        known = sum(counters[tag]["OTHER_CYCLES"] for tag in Tag)
        counters[Tag.OTHER]["OTHER_CYCLES"] += max(0, cycles - explained - known)
        return counters
