"""The files of a run folder as Python values.

Runs are killed and machines lose power, so the last line of a log may be torn. A line that is no
JSON is left out, with a remark in ``notes``. A value of the wrong type is an error: this program
does not understand the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fractrain.host.files.regular import read_regular
from fractrain.hw.contract.errors import DataError

Record = Mapping[str, Any]


def read_lines(path: Path, notes: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of the JSON lines in ``path``, each with its place for error messages."""
    damaged: list[int] = []
    number = 0
    for number, line in enumerate(_read(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            damaged.append(number)
            continue
        where = f"{path}, line {number}"
        if not isinstance(value, dict):
            raise DataError(f"{where}: no JSON object")
        yield where, value
    if damaged == [number] and number:
        notes.append(f"{path.name}: the last line is incomplete and left out")
    elif damaged:
        some = ", ".join(map(str, damaged[:5])) + (", …" if len(damaged) > 5 else "")
        notes.append(f"{path.name}: {len(damaged)} damaged lines are left out ({some})")


def number(record: Record, key: str, where: str) -> float | None:
    """The number under ``key``; None if there is none, or it is null or not finite."""
    value = record.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"{where}: {key} is {value!r}, not a number")
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer beyond every float
        return None


def needed_number(record: Record, key: str, where: str) -> float:
    """The number under ``key``, which must be there."""
    value = number(record, key, where)
    if value is None:
        raise DataError(f"{where}: {key} is missing")
    return value


def mapping(record: Record, key: str, where: str) -> dict[str, Any]:
    """The object under ``key``; empty if there is none or it is null."""
    value = record.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DataError(f"{where}: {key} is {value!r}, not an object")
    return value


def _read(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
