"""`fractrain sweep`: many training runs, one after the other or at once, and a table of them."""

from __future__ import annotations

import argparse
import contextlib
import shlex
from collections.abc import Sequence
from pathlib import Path

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.sweep_options import Resolver, vocabulary
from fractrain.host.cli.sweep_progress import open_display
from fractrain.host.files.outputs import progress, write_json, write_text
from fractrain.host.plugins.option import Form, Option
from fractrain.host.process.stopping import Stopped, StopSignals
from fractrain.host.reports.sweep_page import Grid, SweepPage, render_sweep_page
from fractrain.host.sweeps.campaign import Campaign, Engine, only_one
from fractrain.host.sweeps.cluster import ClusterEngine
from fractrain.host.sweeps.local import LocalEngine
from fractrain.host.sweeps.plan import read_sweep
from fractrain.host.sweeps.points import Point, resolve_points
from fractrain.host.sweeps.results import (
    Result,
    document,
    dots,
    headline,
    points_table,
    read_result,
    remarks,
    seeds_table,
)
from fractrain.hw.contract.errors import FractrainError
from fractrain.hw.contract.tables import terminal_table
from fractrain.hw.contract.values import Whole

MOST_WORKERS = 1024
"""Processes with a network each; no single machine has more cores."""

DOCUMENT, PAGE = "sweep.json", "sweep.html"

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
    """Check, run what is left, show the results, keep them."""
    points = _read(args.sweep)
    out = args.out or Path("runs") / args.sweep.stem
    campaign = Campaign(points, out)
    if args.dry_run:
        _print_plan(campaign)
        return 0
    with only_one(out):
        _execute(args, campaign, out)
        results = [
            read_result(point, campaign.jobs[point], campaign.failures.get(point))
            for point in points
        ]
        _show(results)
        _keep(args.sweep, out, results)
    if failed := len(campaign.failures):
        raise FractrainError(
            f"{failed} of {len(points)} runs failed (above); the same command tries them again"
        )
    return 0


def _read(path: Path) -> list[Point]:
    say = progress()
    say("checking the runs")
    try:
        return resolve_points(read_sweep(path, vocabulary()), Resolver())
    finally:
        say("")


def _execute(args: argparse.Namespace, campaign: Campaign, out: Path) -> None:
    left = len(campaign.unfinished)
    total = len(campaign.points)
    with StopSignals() as stop, contextlib.closing(_engine(args, out)) as engine:
        print(_opening(engine, total, left), flush=True)
        try:
            with open_display(total, total - left) as display:
                campaign.execute(engine, display, stop)
        except Stopped as stopped:
            done = total - len(campaign.unfinished)
            again = shlex.join(["fractrain", *args.arguments])
            raise Stopped(
                stopped.signum, f"interrupted, {done} of {total} runs finished; to go on: {again}"
            ) from None


def _engine(args: argparse.Namespace, out: Path) -> LocalEngine | ClusterEngine:
    if args.scheduler is None:
        return LocalEngine(args.workers)
    return ClusterEngine(args.scheduler, out.absolute())


def _opening(engine: Engine, total: int, left: int) -> str:
    before = f", {total - left} finished before" if left < total else ""
    runs = f"{total} runs{before}"
    if isinstance(engine, ClusterEngine):
        threads = engine.threads
        return f"{runs}; {threads or 'no'} threads of Dask workers" + (
            "" if threads else ": waiting until some connect"
        )
    return f"{runs}; {engine.slots} at a time"


def _print_plan(campaign: Campaign) -> None:
    for point in campaign.points:
        job = campaign.jobs[point]
        state = f"step {job.steps_done} of {point.resolved.steps}" if job.begun else "not begun"
        print(f"{job.folder.name}  ({'finished' if job.finished else state})")
        print(f"  {shlex.join(['fractrain', 'train', *point.resolved.arguments])}")
    steps = sum(point.resolved.steps for point in campaign.unfinished)
    print(
        f"\n{len(campaign.points)} runs, {len(campaign.unfinished)} to do, {steps:,} steps at most"
    )


def _show(results: Sequence[Result]) -> None:
    print(f"\n{headline(results)}")
    grids: list[Grid | None] = [points_table(results), seeds_table(results)]
    for grid in grids:
        if grid is not None:
            print(f"\n{terminal_table(grid.heads, grid.rows)}")
    for remark in remarks(results):
        print(f"\n{remark}")
    failed = [result for result in results if result.state == "failed"]
    if failed:
        print("\nfailed:")
        for result in failed:
            print(f"  {result.point.label}: {result.message}")


def _keep(source: Path, out: Path, results: Sequence[Result]) -> None:
    write_json(out / DOCUMENT, document(source, results))
    print(f"\n{out / DOCUMENT}")
    try:
        write_text(out / PAGE, render_sweep_page(_page(source, results)))
        print(out / PAGE)
    except FractrainError as error:  # the results are in the document already
        print(f"no {PAGE}: {error}")


def _page(source: Path, results: Sequence[Result]) -> SweepPage:
    grids: list[Grid | None] = [points_table(results), seeds_table(results)]
    shown = [grid for grid in grids if grid is not None]
    failures = [f"{each.point.label}: {each.message}" for each in results if each.message]
    notes = [*remarks(results), *failures]
    return SweepPage(source.name, headline(results), shown, dots(results), notes)
