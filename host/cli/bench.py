"""`fractrain bench`: how fast simulation, packing and training run on this computer."""

from __future__ import annotations

import argparse
from pathlib import Path

from fractrain.host.benchmarks.benches import BENCHMARKS
from fractrain.host.benchmarks.measuring import choose, measure, report_text
from fractrain.host.cli.command_line import add_command
from fractrain.host.files.outputs import check_files, prepare_folder, write_json
from fractrain.host.plugins.option import Option
from fractrain.hw.contract.values import Whole

DEFAULT = Path("build/bench.json")

EPILOG = """\
Every figure is measured on this computer. The benchmarks take turns, one measurement each per
round, so that they share whatever else the computer does. The first run compiles the
simulations, which takes a minute or two."""

OPTIONS = (
    Option(
        "only", f"only these: {', '.join(each.name for each in BENCHMARKS)}", metavar="NAME,..."
    ),
    Option("rounds", "measurements of each", Whole(1, 1000), 5, metavar="N"),
    Option("json", "where all values go", Path, DEFAULT, metavar="FILE"),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``bench`` and its options."""
    description = "Measure the speed of simulation, packing and training."
    add_command(subparsers, "bench", description, EPILOG, OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the JSON file."""
    chosen = choose(args.only)
    if args.json == DEFAULT:
        prepare_folder(DEFAULT.parent)
    check_files(args.json)
    report = measure(chosen, args.rounds)
    print(report_text(report))
    write_json(args.json, report)
    print(f"\nall values: {args.json}")
    return 0
