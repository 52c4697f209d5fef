"""`fractrain rebuttal`: every claim of the authors' rebuttal beside what comes of it here."""

from __future__ import annotations

import argparse
from pathlib import Path

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import RUN_FOLDER, SEVERAL
from fractrain.host.files.atomic import write_whole
from fractrain.host.files.outputs import check_files, write_json
from fractrain.host.machines.comparison import compare_machines
from fractrain.host.machines.sources import FORMS, load_traces
from fractrain.host.plugins.option import Option
from fractrain.host.rebuttal.claims import all_claims
from fractrain.host.rebuttal.document import Rebuttal, rebuttal_document, rebuttal_text
from fractrain.host.rebuttal.inputs import default_folder, read_inputs
from fractrain.host.rebuttal.page import rebuttal_page
from fractrain.host.reports.page_file import as_seen_from_here
from fractrain.sim.progress import work

EPILOG = f"""\
Prints each claim beside what we get, and writes all figures with the command behind each as JSON
and as one HTML page that opens from disk. Every figure says whether it is measured (a run's
accuracy, its bits), modelled (machines, effective MACs) or quoted; what cannot be checked without
64,000 steps or a board says so. docs/machines.md has the models and every free choice.

Our runs are those of docs/results in this checkout: their summaries, and the traces of those with
gates. --traces takes others: {FORMS}.

examples:
  fractrain rebuttal
  fractrain rebuttal --traces runs/static8 runs/fractrain --html mine.html --json mine.json"""

OPTIONS = (
    Option("traces", "in place of our runs", None, (), SEVERAL, "RUN", shown="ours"),
    RUN_FOLDER,
    Option("results", "with committed runs", Path, metavar="FOLDER", shown="docs/results here"),
    Option("html", "the page", Path, Path("rebuttal.html"), metavar="FILE", aliases=("--out",)),
    Option("json", "all figures", Path, Path("rebuttal.json"), metavar="FILE"),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``rebuttal`` and its options."""
    description = "Show every claim of the authors' rebuttal beside what comes of it here."
    add_command(subparsers, "rebuttal", description, EPILOG, OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Read, model, print, write."""
    check_files(args.html, args.json)
    say = work()
    say("reading the runs")
    try:
        given = load_traces(args.traces, args.runs)
        inputs = read_inputs(args.results or default_folder(), given)
        claims = all_claims(inputs, say)
        shown = [each for each in (inputs.dynamic, inputs.static) if each is not None]
        rebuttal = Rebuttal(claims, inputs, compare_machines(shown, say=say))
        say("writing the page")
        write_json(args.json, rebuttal_document(rebuttal))
        write_whole(args.html, rebuttal_page(rebuttal))
    finally:
        say("")
    print(rebuttal_text(rebuttal))
    print(f"\n{as_seen_from_here(args.html)}\n{as_seen_from_here(args.json)}")
    return 0
