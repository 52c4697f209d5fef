"""A claim of the rebuttal and the figures beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from fractrain.host.reports.quantities import Source, percent
from fractrain.host.reports.units import COUNTS, MISSING, SECONDS, significant


class Unit(Enum):
    """What a figure is in."""

    PERCENT = "fraction, shown in percent"
    RATIO = "fraction"
    RATE = "GMAC/s"
    ENERGY = "pJ/MAC"
    SPEED = "GOPS"
    COST = "percent of 32-bit arithmetic"
    ACCURACY = "percent"
    POINTS = "percentage points"
    COUNT = "count"
    SECONDS = "seconds"
    EFFICIENCY = "TFLOPS/W"
    TIMES = "×"

    def text(self, value: float | None) -> str:
        """For people."""
        if value is None:
            return MISSING
        if self is Unit.PERCENT:
            return percent(value)
        if self is Unit.RATIO:
            return f"{value:.3f}"
        if self is Unit.ACCURACY:
            return f"{value:.2f} %"
        if self is Unit.COST:
            return f"{significant(value)} %"
        if self is Unit.POINTS:
            return f"{value:+.2f}".replace("-", "−")
        if self is Unit.COUNT:
            return COUNTS.text(value, 4)
        if self is Unit.SECONDS:
            return SECONDS.text(value)
        return f"{significant(value)} {self.value}"


@dataclass(frozen=True)
class Figure:
    """One figure of a claim.

    name : what it is of
    unit : of both values
    value : what we get; None if there is none here
    claimed : what is published; None if nothing is
    source : of ``value``: measured, modelled or quoted
    command : what makes ``value`` again; empty if it is quoted
    about : what to know of it
    main : one to look at first
    """

    name: str
    unit: Unit
    value: float | None
    claimed: float | None = None
    source: Source = Source.MODELLED
    command: str = ""
    about: str = ""
    main: bool = False

    def __post_init__(self) -> None:
        if self.source not in (Source.MEASURED, Source.MODELLED, Source.QUOTED):
            raise ValueError(f"{self.name}: {self.source}")

    @property
    def difference(self) -> float | None:
        """Ours less the claim's."""
        if self.value is None or self.claimed is None:
            return None
        return self.value - self.claimed


class Status(Enum):
    """How far a claim can be checked here."""

    CHECKED = "checked here"
    PARTLY = "checked in part"
    QUOTED = "cannot be checked here"


@dataclass(frozen=True)
class Claim:
    """One claim.

    identifier : in the address of its section
    says : what the rebuttal says, in our words
    finding : what we get, in a sentence of figures that were computed
    why : why the two differ, or what it would take to check
    choices : what was chosen freely, each named
    """

    identifier: str
    title: str
    says: str
    status: Status
    finding: str
    figures: Sequence[Figure]
    why: Sequence[str] = ()
    choices: Sequence[str] = ()


def largest_difference(figures: Sequence[Figure]) -> float:
    """The largest distance between ours and the claim, of figures that have both."""
    return max(abs(each.difference) for each in figures if each.difference is not None)


def span(values: Sequence[float]) -> str:
    """``66.2 to 67.7 %`` of fractions."""
    low, high = percent(min(values)), percent(max(values))
    return low if low == high else f"{low.removesuffix(' %')} to {high}"
