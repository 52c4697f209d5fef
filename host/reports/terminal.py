"""Several runs side by side, as text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from fractrain.host.reports.headline import headline
from fractrain.host.reports.measured_table import measured_table
from fractrain.host.reports.names import cut, heads
from fractrain.host.reports.published import published_tables
from fractrain.host.reports.run import Run
from fractrain.host.reports.savings import at_equal_accuracy, caveats
from fractrain.host.reports.tables import (
    Table,
    different_settings_table,
    equal_accuracy_table,
    results_table,
)
from fractrain.hw.contract.tables import terminal_table

__all__ = ["comparison"]


def comparison(runs: Sequence[Run]) -> str:
    """A sentence, the tables, and what to know of them."""
    return "\n\n".join([headline(runs), *map(_text, _tables(runs)), *_remarks(runs)])


def _tables(runs: Sequence[Run]) -> list[Table]:
    measured = measured_table(runs)
    return [
        results_table(runs),
        *([] if measured is None else [measured]),
        *(equal_accuracy_table(each) for each in at_equal_accuracy(runs)),
        *published_tables(runs),
        different_settings_table(runs),
    ]


def _text(shown: Table) -> str:
    """Title, rows, remarks; long settings are cut, the page and the JSON file have them whole."""
    rows = [[row.name, row.source.value, *map(cut, row.cells)] for row in shown.rows]
    return "\n".join(
        [shown.title, terminal_table(["", "", *heads(shown.heads)], rows), *shown.remarks]
    )


def _remarks(runs: Sequence[Run]) -> list[str]:
    notes = [f"{run.name}: {note}" for run in runs for note in run.notes]
    unfinished = [f"{run.name} has not ended." for run in runs if run.summary is None]
    return [*caveats(runs), *unfinished, *notes]
