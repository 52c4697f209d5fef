"""What commands have in common in showing and keeping their figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from host.atomic_files import failures_named, write_whole
from hw.contract.errors import DataError
from sim.progress import work


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be; those that hold numbers in the first row to the right."""
    right = [bool(rows) and rows[0][i].lstrip("-")[:1].isdigit() for i in range(len(heads))]
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        aligned = (
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(cells, widths, right, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([line(heads), line(["-" * width for width in widths]), *map(line, rows)])


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write ``document`` to ``path`` as `write_text` does."""
    write_text(path, json.dumps(document, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path``, whole or not at all; missing folders are made.

    Raises `DataError` naming the file if it cannot be written.
    """
    with failures_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)


def prepare_folder(path: Path) -> None:
    """Make the folder ``path`` if it is not there: better before long work than after it.

    Raises `DataError` naming it if it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the folder {path}: {error.strerror}") from error


def progress() -> Callable[[str], None]:
    """A function that is told what a command is at, and "" when that is over; stderr shows it."""
    return work()
