"""Tables of text: for the terminal, and in Markdown. No other code aligns columns or writes pipes.

A table is a head and rows of as many cells each, all of them strings.
"""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[str]


def terminal_table(heads: Row, rows: Sequence[Row], *, indent: str = "") -> str:
    """Columns as wide as their widest cell, numbers to the right; ``indent`` before each line.

    A column holds numbers if its first cell that says anything (more than ``-``) begins with a
    digit, or a minus and one.
    """
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(heads)
    right = [
        next((cell for cell in column if cell.strip("-")), "").lstrip("-")[:1].isdigit()
        for column in columns
    ]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]

    def line(cells: Row) -> str:
        aligned = (
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(cells, widths, right, strict=True)
        )
        return (indent + "  ".join(aligned)).rstrip()

    return "\n".join([line(heads), line(["-" * width for width in widths]), *map(line, rows)])


def markdown_table(heads: Row, rows: Sequence[Row]) -> str:
    """The table in Markdown, without a newline at its end; a ``|`` in a cell is escaped."""
    return "\n".join([_line(heads), "|" + "---|" * len(heads), *map(_line, rows)])


def _line(cells: Row) -> str:
    filled = (" " if not cell else f" {cell} " for cell in cells)
    return "|" + "|".join(each.replace("|", r"\|") for each in filled) + "|"
