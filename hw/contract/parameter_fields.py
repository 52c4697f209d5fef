"""How the fields of the parameters say what is allowed: dataclass fields with a rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from fractrain.hw.contract.values import Keyed, OneOf, Real, Unquoted, Whole


def number(low: int, high: int) -> Any:
    return field(metadata={"rule": Unquoted(Whole(low, high))})


def real(low: float, high: float) -> Any:
    return field(metadata={"rule": Unquoted(Real(low, high))})


def choice(*options: object) -> Any:
    return field(metadata={"rule": OneOf(options)})


def named(values: Callable[[], Mapping[str, object]]) -> Any:
    return field(metadata={"rule": Keyed(values)})


def follows(source: str) -> Any:
    """A value that no file gives: it follows from others, by ``source``."""
    return field(metadata={"follows": source})
