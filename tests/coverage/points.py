"""Bins, how often each was hit, and the report of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from fractrain.hw.contract.tables import markdown_table

Bin = tuple[str, ...]


def everything(*values: str) -> bool:
    """No combination is left out."""
    return True


@dataclass(frozen=True)
class Point:
    """Bins ``axes[0] x axes[1] x …``, without those that are not ``reachable``.

    title : what is counted
    axes : values of each axis, by its name
    across : the axes whose combinations are the columns of the table; ``down``, those of its rows
    """

    title: str
    axes: Mapping[str, Sequence[str]]
    down: Sequence[str]
    across: Sequence[str]
    reachable: Callable[..., bool] = everything

    @property
    def bins(self) -> Iterator[Bin]:
        """All that can be hit."""
        return (values for values in product(*self.axes.values()) if self.reachable(*values))

    @property
    def left_out(self) -> int:
        """How many cannot."""
        return prod(len(values) for values in self.axes.values()) - sum(1 for _ in self.bins)


class Coverage:
    """Hits of the bins of all ``points``, by their names."""

    def __init__(self, points: Mapping[str, Point]) -> None:
        self.points = points
        self.hits: dict[str, Counter[Bin]] = {
            name: Counter({each: 0 for each in point.bins}) for name, point in points.items()
        }

    def hit(self, name: str, *values: str) -> None:
        """Count a bin; one that was said to be out of reach is an error."""
        if values not in self.hits[name]:
            raise KeyError(f"{name} has no bin {values}, or it was said to be out of reach")
        self.hits[name][values] += 1

    def empty(self, name: str) -> list[Bin]:
        return [values for values, count in self.hits[name].items() if not count]

    @property
    def holes(self) -> list[str]:
        """All bins that are empty, in words."""
        return [
            f"{name}: {', '.join(values)}" for name in self.points for values in self.empty(name)
        ]

    # -- the report ------------------------------------------------------------------------------

    def summary(self) -> str:
        """A line for each point."""
        lines = []
        for name, counts in self.hits.items():
            covered = sum(count > 0 for count in counts.values())
            lines.append(
                f"{name:<12} {covered:>5} of {len(counts):>5} bins, "
                f"at least {min(counts.values()):>3} hits, {sum(counts.values()):>6} in all"
            )
        return "\n".join(lines)

    def markdown(self) -> str:
        """The holes, and a table of hits for each point."""
        parts = []
        if self.holes:
            parts += ["## Empty bins", "", *(f"- {each}" for each in self.holes), ""]
        return "\n".join(parts + [self._table(name) for name in self.points])

    def _table(self, name: str) -> str:
        """Cells are the fewest hits of the bins they stand for."""
        point, counts = self.points[name], self.hits[name]
        order = list(point.axes)
        merged = [each for each in order if each not in (*point.down, *point.across)]
        columns = list(product(*(point.axes[each] for each in point.across)))
        heading = [*point.down, *(" ".join(each) for each in columns)]
        lines = [f"## {name}: {point.title}", ""]
        if merged:
            lines += [f"Fewest hits over: {', '.join(merged)}.", ""]
        if point.left_out:
            lines += [f"{point.left_out} combinations are out of reach.", ""]
        rows = []
        for row in product(*(point.axes[each] for each in point.down)):
            known = dict(zip(point.down, row, strict=True))
            cells = []
            for column in columns:
                chosen = known | dict(zip(point.across, column, strict=True))
                found = [
                    count
                    for values, count in counts.items()
                    if all(values[order.index(axis)] == value for axis, value in chosen.items())
                ]
                cells.append(str(min(found)) if found else "–")
            rows.append([*row, *cells])
        return "\n".join([*lines, markdown_table(heading, rows), ""])
