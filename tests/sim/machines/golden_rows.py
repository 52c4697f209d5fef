"""Golden rows: tables of published or independently computed figures."""

from __future__ import annotations

import csv
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def golden_rows(name: str) -> list[dict[str, float]]:
    """The rows of a table, every value a number; lines with # are for readers."""
    lines = (FOLDER / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return [{key: _number(value) for key, value in row.items()} for row in rows]


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)
