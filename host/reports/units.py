"""Numbers the way people read them: three digits and a unit that fits, ``122 µs``, ``9.70 G``.

One format for pages, pictures and terminal tables, so that a figure reads alike wherever it stands.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MISSING = "—"
EXPONENTS = {"n": -9, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
DIGITS = 3
TOO_SMALL = 0.1
"""Of a common unit: a value below is shown in a unit of its own."""


@dataclass(frozen=True)
class Unit:
    """``factor``: how much of the base unit it is; ``first``: the least value shown in it;
    ``whole``: whole numbers have no decimals."""

    name: str
    factor: float
    first: float
    whole: bool = False

    def text(self, value: float, digits: int = DIGITS) -> str:
        """``value``, of the base unit, with this unit."""
        if self.whole and value == round(value):
            return f"{value:,.0f} {self.name}".rstrip()
        return f"{significant(value / self.factor, digits)} {self.name}".rstrip()


@dataclass(frozen=True)
class Units:
    """The units of one kind of value, ascending."""

    steps: Sequence[Unit]

    def fitting(self, value: float) -> Unit:
        """The largest unit that ``value`` reaches once it is rounded; the smallest for 0."""
        shown = abs(float(f"{value:.{DIGITS}g}"))
        if not shown:
            return next(unit for unit in self.steps if unit.factor == 1)
        return next((unit for unit in reversed(self.steps) if shown >= unit.first), self.steps[0])

    def text(self, value: float | None, digits: int = DIGITS) -> str:
        """``value`` in the unit that fits it; `MISSING` for None and what is not finite."""
        if value is None or not math.isfinite(value):
            return MISSING
        return self.fitting(value).text(value, digits)

    def scale(self, values: Iterable[float | None]) -> Scale:
        """The unit that fits the largest of ``values``."""
        known = (abs(each) for each in values if each is not None and math.isfinite(each))
        return Scale(self, self.fitting(max(known, default=0.0)))


@dataclass(frozen=True)
class Scale:
    """A unit for values that stand side by side."""

    units: Units
    unit: Unit

    def text(self, value: float | None) -> str:
        """``value`` in the common unit, or in its own if it would be lost in that."""
        if value is None or not math.isfinite(value):
            return MISSING
        if abs(value) < TOO_SMALL * self.unit.factor:
            return self.units.text(value)
        return self.unit.text(value)


def significant(value: float, digits: int = DIGITS) -> str:
    """``value`` with so many digits, all of those before the point, and no exponent while that
    is readable."""
    if not math.isfinite(value):
        return MISSING
    if not value:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    magnitude = math.floor(math.log10(abs(rounded)))
    if not -4 <= magnitude < 15:
        return f"{rounded:.{digits - 1}e}"
    decimals = max(0, digits - 1 - magnitude)
    return f"{rounded if decimals else value:,.{decimals}f}"


def _metric(name: str, prefixes: Sequence[str], *, whole: bool = False) -> Units:
    factors = [(prefix, 10.0 ** EXPONENTS[prefix]) for prefix in prefixes]
    return Units(
        [Unit(prefix + name, factor, factor, whole and not prefix) for prefix, factor in factors]
    )


SECONDS = Units(
    [
        *_metric("s", ("n", "µ", "m", "")).steps,
        Unit("min", 60, 120),  # 113 s read better than 1.88 min
        Unit("h", 3600, 7200),
    ]
)
JOULES = _metric("J", ("n", "µ", "m", "", "k", "M", "G"))
BYTES = _metric("B", ("", "k", "M", "G", "T"), whole=True)
COUNTS = _metric("", ("", "k", "M", "G", "T", "P", "E"), whole=True)
