"""`fractrain compare`: several runs side by side, on the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import RUNS, file_option
from fractrain.host.files.outputs import check_files, progress, write_json, write_text
from fractrain.host.reports.document import comparison_document
from fractrain.host.reports.headline import headline
from fractrain.host.reports.measured_table import measured_table
from fractrain.host.reports.names import cut, heads
from fractrain.host.reports.page import render_page
from fractrain.host.reports.published import published_tables
from fractrain.host.reports.run import Run, load_runs
from fractrain.host.reports.savings import at_equal_accuracy, caveats
from fractrain.host.reports.tables import (
    Table,
    different_settings_table,
    equal_accuracy_table,
    results_table,
)
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.tables import terminal_table

EPILOG = """\
A sentence says what was saved at what accuracy. Every figure in the tables says where it is from:
measured while the run ran, computed from what it did, or modelled for the FPGA. The first table
compares each run with its own steps at FW8/BW8; the second compares what the runs had spent when
they first reached the same accuracy, the lowest of their best ones, with what the static 8/8/8
run among them had spent.

examples:
  fractrain compare static8 pfq fractrain
  fractrain compare runs/static8 runs/pfq --json comparison.json --html comparison.html"""

OPTIONS = (
    *RUNS,
    file_option("json", "write all figures, too"),
    file_option("html", "write the page of `fractrain report`, too"),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``compare`` and its options."""
    description = "Show training runs side by side: accuracy, cost, savings, settings."
    add_command(subparsers, "compare", description, EPILOG, OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Read the runs, print the tables, write the files."""
    if len(args.run) < 2:
        raise ParameterError(
            "RUN", " ".join(args.run), "two runs or more", hint="one run alone: fractrain report"
        )
    check_files(args.json, args.html)
    say = progress()
    say("reading the runs")
    try:
        runs = load_runs(args.run, args.runs)
    finally:
        say("")
    print(f"{headline(runs)}\n")
    print("\n\n".join(_text(each) for each in _tables(runs)))
    for remark in _remarks(runs):
        print(f"\n{remark}")
    if args.json is not None:
        write_json(args.json, comparison_document(runs))
        print(f"\n{args.json}")
    if args.html is not None:
        write_text(args.html, render_page(runs))
        print(f"\n{args.html}")
    return 0


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
