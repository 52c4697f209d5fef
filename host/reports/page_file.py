"""The page of runs as a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from fractrain.host.files.atomic import write_whole
from fractrain.host.files.outputs import check_files
from fractrain.host.reports.page import MachineCosts, render_page
from fractrain.host.reports.run import Run, load_runs
from fractrain.sim.progress import work

__all__ = ["as_seen_from_here", "write_page"]


def write_page(
    names: Sequence[str],
    folder: Path,
    target: Path | None = None,
    machines: Callable[[Sequence[Run], Callable[[str], None]], MachineCosts] | None = None,
) -> Path:
    """Write the page of the runs ``names`` in ``folder``; where it is.

    machines : what says what the runs cost on other machines, if the page is to show that

    Raises as `load_runs` does, `MissingToolError` without what draws it, `DataError` if it cannot
    be written.
    """
    say = work()
    say("reading the runs")
    try:
        runs = load_runs(names, folder)
        target = target or _default(runs)
        check_files(target)
        costs = None if machines is None else machines(runs, say)
        write_whole(target, render_page(runs, say, costs))
    finally:
        say("")
    return target


def _default(runs: list[Run]) -> Path:
    return (runs[0].path if len(runs) == 1 else Path()) / "report.html"


def as_seen_from_here(path: Path) -> Path:
    """Relative, if it is in the current folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
