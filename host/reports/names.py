"""Names of runs, shortened for pictures."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

LONGEST = 18
LONGEST_HEAD, LONGEST_IN_TEXT = 30, 44
"""Of a name over a column and in a sentence; the legend has it whole."""


def heads(names: Sequence[str]) -> list[str]:
    """`short_names` that stand over the columns of a table."""
    return short_names(names, LONGEST_HEAD)


def short_names(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """``names`` as they are, if none is longer than ``longest``; else without the parts, separated
    by hyphens, that all begin and end with, and cut in the middle where that is not enough."""
    if all(len(name) <= longest for name in names):
        return list(names)
    parts = [name.split("-") for name in names]
    if len(names) > 1:
        first = _shared(parts)
        last = _shared([each[::-1] for each in parts])
        if min(map(len, parts)) > first + last:
            parts = [each[first : len(each) - last] for each in parts]
    return [cut("-".join(each), longest) for each in parts]


def cut(name: str, longest: int = LONGEST_IN_TEXT) -> str:
    """``name`` with an ellipsis in the middle, so that both ends still tell it from others."""
    if len(name) <= longest:
        return name
    tail = (longest - 1) // 2
    return f"{name[: longest - 1 - tail]}…{name[len(name) - tail :]}"


def text_width(text: str, size: float) -> float:
    """About how wide ``text`` is in a sans-serif font of ``size``: which one the reader has is not
    known here."""
    return size * sum(1.0 if unicodedata.east_asian_width(each) in "WF" else 0.58 for each in text)


def _shared(parts: Sequence[Sequence[str]]) -> int:
    """How many parts all begin with."""
    count = 0
    for each in zip(*parts, strict=False):
        if len(set(each)) > 1:
            break
        count += 1
    return count
