"""`fractrain report`: one or several runs as one HTML page."""

from __future__ import annotations

import argparse
from pathlib import Path

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import MACHINES, RUNS, file_option
from fractrain.host.files.atomic import write_whole
from fractrain.host.files.outputs import check_files, prepare_folder
from fractrain.host.machines.tables import machines_of_runs
from fractrain.host.plugins.option import Option
from fractrain.host.reports.page_file import as_seen_from_here, write_page
from fractrain.host.reports.run import load_runs
from fractrain.host.reports.standalone import standalone_figures

EPILOG = """\
The page holds everything it needs, pictures included: it opens from disk, on a phone, without a
network. It says in a sentence what was saved at what accuracy, and shows accuracy over effective
MACs, time or energy; then what was saved against the same steps at FW8/BW8, the same at equal
accuracy against a static 8/8/8 run if one of RUN is one, the training loss, the bits that gates
chose for every block, and the settings. A run that is still going can be looked at, too. With
--machines it also has what the runs cost on Bit Fusion, Eyeriss and DSP arrays, and on this
project's machine (modelled; `fractrain compare --machines`).

examples:
  fractrain report runs/latest
  fractrain report static8 pfq fractrain --out comparison.html
  fractrain report static8 fractrain --machines"""

OPTIONS = (
    *RUNS,
    Option(
        "out",
        "the page",
        Path,
        metavar="FILE",
        shown="report.html, in the folder of the run if there is only one",
    ),
    MACHINES,
    file_option("figures", "write every figure as an SVG file, too", "FOLDER"),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``report`` and its options."""
    description = "Show one or several training runs as one self-contained HTML page."
    add_command(subparsers, "report", description, EPILOG, OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Read the runs, write page and figures, print where they are."""
    check_files(args.out)
    if args.figures is not None:
        prepare_folder(args.figures)
    machines = machines_of_runs if args.machines else None
    print(as_seen_from_here(write_page(args.run, args.runs, args.out, machines)))
    if args.figures is not None:
        for name, svg in standalone_figures(load_runs(args.run, args.runs)):
            write_whole(args.figures / name, svg)
            print(as_seen_from_here(args.figures / name))
    return 0
