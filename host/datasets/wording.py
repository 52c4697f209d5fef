"""Names, numbers and causes, short enough for one line of a message."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fractrain.hw.contract.errors import shortened

__all__ = ["cause", "counted", "examples", "shown"]

LONGEST = 120
"""Characters of a name: paths may have 4,096."""


def shown(name: str | Path) -> str:
    """`shortened` so that several names fit into one line."""
    return shortened(str(name), LONGEST)


def counted(count: int, thing: str) -> str:
    """``1 image``, ``1,200 images``, ``2 classes``."""
    plural = f"{thing}es" if thing.endswith(("s", "ch")) else f"{thing}s"
    return f"{count:,} {thing if count == 1 else plural}"


def examples(names: Sequence[str]) -> str:
    """The first of ``names``, with the number of the others."""
    first = shown(min(names))
    return first if len(names) == 1 else f"{first} and {len(names) - 1:,} more"


def cause(error: BaseException) -> str:
    """The text of ``error``, in one line; its class if there is none."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).partition("\n")[0].rstrip(": ")
    return shown(text) if text else type(error).__name__
