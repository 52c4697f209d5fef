"""`fractrain sweep`: many training runs, one after the other or at once, and a table of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.train import parse_options
from fractrain.host.plugins.option import Form, Option
from fractrain.host.sweeps.resolving import Resolver
from fractrain.host.sweeps.running import Sweep, check, execute, print_plan
from fractrain.hw.contract.values import Whole

MOST_WORKERS = 1024
"""Processes, each with its own network; no single machine has more cores."""

DESCRIPTION = """\
Run `fractrain train` with every combination of options that a YAML file asks for, each run in a
process and a folder of its own, and show what came of them side by side. The same command again
goes on: finished runs are left alone, interrupted ones resume from their checkpoints, failed ones
are tried again."""

EPILOG = """\
the file, with options under the names that `fractrain train --help` has for them:
  base: {epochs: 30, model: resnet8}          all runs
  grid: {method: [pfq, fractrain], epsilon: [0.05, 0.1, 0.15]}    every combination
  points: [{method: static, precision: [8, 8, 8]}]                single runs
  seeds: [0, 1, 2]                            each of them with each seed; or repeats: 3

examples:
  fractrain sweep configs/sweeps/laptop.yaml             minutes, handwritten digits
  fractrain sweep configs/sweeps/ablation.yaml --dry-run
  fractrain sweep my.yaml --workers 4 --out runs/my
  fractrain sweep my.yaml --scheduler tcp://host:8786    on the workers of a Dask scheduler

OUT has a folder for each run, as `fractrain train` makes it, what the runs printed in logs/,
and at the end sweep.json and, with the extra `report`, sweep.html. Failed runs do not stop the
others; the exit code is 1 then."""

OPTIONS = (
    Option("sweep", "what to run", Path, form=Form.ARGUMENT, metavar="SWEEP.yaml"),
    Option(
        "out",
        "where the runs are kept",
        Path,
        metavar="FOLDER",
        shown="runs/ and the name of the file",
    ),
    (
        Option(
            "workers",
            "runs at a time on this machine, which share its cores",
            Whole(1, MOST_WORKERS),
            metavar="N",
            shown="one a core",
        ),
        Option(
            "scheduler",
            "of a running Dask scheduler, whose workers run them; they have this program and share "
            "the file system that --out is on",
            metavar="ADDRESS",
        ),
    ),
    Option("dry_run", "check everything, list the runs, run nothing", form=Form.FLAG),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``sweep`` and its options."""
    add_command(subparsers, "sweep", DESCRIPTION, EPILOG, OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Check, run what remains, print the results and write them."""
    out = args.out or Path("runs") / args.sweep.stem
    sweep = Sweep(args.sweep, out, args.workers, args.scheduler, args.arguments)
    campaign = check(sweep, Resolver(parse_options))
    if args.dry_run:
        print_plan(campaign)
    else:
        execute(sweep, campaign)
    return 0
