"""`fractrain report`: one or several runs as one HTML page."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import RUNS, file_option
from fractrain.host.files.outputs import check_files, prepare_folder, progress, write_text
from fractrain.host.plugins.option import Option
from fractrain.host.reports.page import render_page
from fractrain.host.reports.run import Run, load_runs
from fractrain.host.reports.standalone import standalone_figures

EPILOG = """\
The page holds everything it needs, pictures included: it opens from disk, on a phone, without a
network. It says in a sentence what was saved at what accuracy, and shows accuracy over effective
MACs, time or energy; then what was saved against the same steps at FW8/BW8, the same at equal
accuracy against a static 8/8/8 run if one of RUN is one, the training loss, the bits that gates
chose for every block, and the settings. A run that is still going can be looked at, too.

examples:
  fractrain report runs/latest
  fractrain report static8 pfq fractrain --out comparison.html"""

OPTIONS = (
    *RUNS,
    Option(
        "out",
        "the page",
        Path,
        metavar="FILE",
        shown="report.html, in the folder of the run if there is only one",
    ),
    file_option("figures", "write every figure as an SVG file, too", "FOLDER"),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``report`` and its options."""
    description = "Show one or several training runs as one self-contained HTML page."
    add_command(subparsers, "report", description, EPILOG, OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Read the runs, write the page and the figures, say where."""
    check_files(args.out)
    if args.figures is not None:
        prepare_folder(args.figures)
    print(as_seen_from_here(write_report(args.run, args.runs, args.out)))
    if args.figures is not None:
        for name, svg in standalone_figures(load_runs(args.run, args.runs)):
            write_text(args.figures / name, svg)
            print(as_seen_from_here(args.figures / name))
    return 0


def write_report(names: Sequence[str], folder: Path, target: Path | None = None) -> Path:
    """Write the page of the runs ``names`` in ``folder``; where it is.

    Raises as `load_runs` does, `MissingToolError` without what draws it, `DataError` if it cannot
    be written.
    """
    say = progress()
    say("reading the runs")
    try:
        runs = load_runs(names, folder)
        target = target or _default(runs)
        check_files(target)
        write_text(target, render_page(runs, say))
    finally:
        say("")
    return target


def _default(runs: list[Run]) -> Path:
    return (runs[0].path if len(runs) == 1 else Path()) / "report.html"


def as_seen_from_here(path: Path) -> Path:
    """Relative, if it is in the current folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
