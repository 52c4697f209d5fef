"""A sweep from its file to its results: what `fractrain sweep` does."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fractrain.host.files.atomic import write_whole
from fractrain.host.files.outputs import write_json
from fractrain.host.process.stopping import Stopped, StopSignals
from fractrain.host.reports.sweep_page import Grid, SweepPage, render_sweep_page
from fractrain.host.sweeps.campaign import Campaign, Engine, only_one
from fractrain.host.sweeps.cluster import ClusterEngine
from fractrain.host.sweeps.display import open_display
from fractrain.host.sweeps.local import LocalEngine
from fractrain.host.sweeps.plan import read_sweep
from fractrain.host.sweeps.points import resolve_points
from fractrain.host.sweeps.resolving import Resolver, vocabulary
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
from fractrain.sim.progress import work

__all__ = ["Sweep", "check", "execute"]

DOCUMENT, PAGE = "sweep.json", "sweep.html"


@dataclass(frozen=True)
class Sweep:
    """The runs that the file ``source`` asks for, in the folder ``out``.

    ``workers`` runs at a time on this machine, None for one a core; or on those of the Dask
    ``scheduler``. ``command``: how a user goes on with it.
    """

    source: Path
    out: Path
    workers: int | None
    scheduler: str | None
    command: Sequence[str]


def check(sweep: Sweep, resolver: Resolver) -> Campaign:
    """The runs, resolved; raises as `read_sweep` and `resolve_points`."""
    say = work()
    say("checking the runs")
    try:
        points = resolve_points(read_sweep(sweep.source, vocabulary()), resolver)
    finally:
        say("")
    return Campaign(points, sweep.out)


def print_plan(campaign: Campaign) -> None:
    """Say what would be run."""
    for point in campaign.points:
        job = campaign.jobs[point]
        state = f"step {job.steps_done} of {point.resolved.steps}" if job.begun else "not begun"
        print(f"{job.folder.name}  ({'finished' if job.finished else state})")
        print(f"  {shlex.join(['fractrain', 'train', *point.resolved.arguments])}")
    steps = sum(point.resolved.steps for point in campaign.unfinished)
    print(
        f"\n{len(campaign.points)} runs, {len(campaign.unfinished)} to do, {steps:,} steps at most"
    )


def execute(sweep: Sweep, campaign: Campaign) -> None:
    """Run the remaining points, show and keep the results; `FractrainError` if runs failed."""
    with only_one(sweep.out):
        _run(sweep, campaign)
        results = [
            read_result(point, campaign.jobs[point], campaign.failures.get(point))
            for point in campaign.points
        ]
        _show(results)
        _keep(sweep.source, sweep.out, results)
    if failed := len(campaign.failures):
        raise FractrainError(
            f"{failed} of {len(campaign.points)} runs failed (above); the same command tries them "
            "again"
        )


def _run(sweep: Sweep, campaign: Campaign) -> None:
    left = len(campaign.unfinished)
    total = len(campaign.points)
    with StopSignals() as stop, contextlib.closing(_engine(sweep)) as engine:
        print(_opening(engine, total, left), flush=True)
        try:
            with open_display(total, total - left) as display:
                campaign.execute(engine, display, stop)
        except Stopped as stopped:
            done = total - len(campaign.unfinished)
            again = shlex.join(["fractrain", *sweep.command])
            raise Stopped(
                stopped.signum, f"interrupted, {done} of {total} runs finished; to go on: {again}"
            ) from None


def _engine(sweep: Sweep) -> LocalEngine | ClusterEngine:
    if sweep.scheduler is None:
        return LocalEngine(sweep.workers)
    return ClusterEngine(sweep.scheduler, sweep.out.absolute())


def _opening(engine: Engine, total: int, left: int) -> str:
    before = f", {total - left} finished before" if left < total else ""
    runs = f"{total} runs{before}"
    if isinstance(engine, ClusterEngine):
        threads = engine.threads
        return f"{runs}; {threads or 'no'} threads of Dask workers" + (
            "" if threads else ": waiting until some connect"
        )
    return f"{runs}; {engine.slots} at a time"


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
        write_whole(out / PAGE, render_sweep_page(_page(source, results)))
        print(out / PAGE)
    except FractrainError as error:  # the results are in the document already
        print(f"no {PAGE}: {error}")


def _page(source: Path, results: Sequence[Result]) -> SweepPage:
    grids: list[Grid | None] = [points_table(results), seeds_table(results)]
    shown = [grid for grid in grids if grid is not None]
    failures = [f"{each.point.label}: {each.message}" for each in results if each.message]
    notes = [*remarks(results), *failures]
    return SweepPage(source.name, headline(results), shown, dots(results), notes)
