"""`fractrain compare`: several runs side by side, on the terminal."""

from __future__ import annotations

import argparse

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import RUNS, file_option
from fractrain.host.files.atomic import write_whole
from fractrain.host.files.outputs import check_files, write_json
from fractrain.host.reports.document import comparison_document
from fractrain.host.reports.page import render_page
from fractrain.host.reports.run import load_runs
from fractrain.host.reports.terminal import comparison
from fractrain.hw.contract.errors import ParameterError
from fractrain.sim.progress import work

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
    say = work()
    say("reading the runs")
    try:
        runs = load_runs(args.run, args.runs)
    finally:
        say("")
    print(comparison(runs))
    if args.json is not None:
        write_json(args.json, comparison_document(runs))
        print(f"\n{args.json}")
    if args.html is not None:
        write_whole(args.html, render_page(runs))
        print(f"\n{args.html}")
    return 0
