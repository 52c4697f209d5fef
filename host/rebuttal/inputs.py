"""What the page is made of: committed summaries and traces of runs, and a committed sweep."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from fractrain.host.files.regular import read_object
from fractrain.host.machines.run_traces import trace_of_summary
from fractrain.host.machines.trace import EIGHT, Trace
from fractrain.host.machines.trace_files import read_trace
from fractrain.hw.contract.errors import DataError

RUNS, TRACES, SWEEP = "runs", "traces", "sweep.json"

RESULTS = Path("docs", "results")
"""In the checkout."""

INTEGERS, REBUTTAL = "integers", "rebuttal"
"""Folders in it: of the long runs, and of what only the rebuttal needs."""


@dataclass(frozen=True)
class Inputs:
    """Traces of our runs, and the sweep over PFQ's settings.

    summaries : of runs, by name
    traces : of them, by name
    sweep : `sweep.json` of configs/sweeps/rebuttal.yaml; empty without one
    without : runs whose bits are not known, as they have no trace
    """

    summaries: Mapping[str, Mapping[str, Any]]
    traces: Mapping[str, Trace]
    sweep: Mapping[str, Any]
    without: Sequence[str] = ()

    @property
    def static(self) -> Trace | None:
        """FW8/BW8, as long as FracTrain's run if there is one."""
        known = [each for each in self.traces.values() if each.kept_at == EIGHT]
        ours = self.fractrain
        alike = [each for each in known if ours is not None and _same_task(each, ours)]
        return _longest(alike or known)

    @property
    def fractrain(self) -> Trace | None:
        """The longest FracTrain run."""
        return _longest(
            [each for each in self.traces.values() if each.source.get("method") == "fractrain"]
        )

    @property
    def dynamic(self) -> Trace | None:
        """FracTrain's run; without one, the longest that is not at 8 bits throughout."""
        others = [each for each in self.traces.values() if each.kept_at != EIGHT]
        return self.fractrain or _longest(others)


def read_inputs(folder: Path, given: Sequence[Trace] = ()) -> Inputs:
    """What is in ``folder``, docs/results of a checkout; ``given`` traces take the place of those.

    Raises `DataError` for a missing folder and damaged files.
    """
    if not folder.is_dir():
        raise DataError(f"no folder {folder}: --results names docs/results of a checkout")
    runs = folder / INTEGERS
    # where a command finds it: from the root of a checkout, wherever that is
    shown = RESULTS / INTEGERS if folder == default_folder() else runs
    summaries = {each.stem: read_object(each) for each in sorted((runs / RUNS).glob("*.json"))}
    files = sorted((runs / TRACES).glob("*.json"))
    traces = {each.stem: _named(read_trace(each), shown / TRACES / each.name) for each in files}
    for name, summary in summaries.items():
        if name not in traces:
            found = trace_of_summary(runs / RUNS / f"{name}.json", summary)
            if found is not None:
                traces[name] = _named(found, shown / RUNS / f"{name}.json")
    without = sorted(set(summaries) - set(traces))
    if given:
        traces = {each.name: each for each in given}
    sweep = folder / REBUTTAL / SWEEP
    return Inputs(summaries, traces, read_object(sweep) if sweep.is_file() else {}, without)


def default_folder() -> Path:
    """docs/results of the checkout that this package is in."""
    return Path(str(resources.files("fractrain"))).parent / RESULTS


def accuracy(trace: Trace | None) -> float | None:
    """Test accuracy in percent at the end of the run."""
    value = None if trace is None else trace.source.get("test_accuracy")
    return None if value is None else float(value)


def run_command(trace: Trace) -> str:
    """What trained it."""
    return str(trace.source.get("command") or trace.command)


def _named(trace: Trace, path: Path) -> Trace:
    """With the command that asks for the one at ``path``."""
    return replace(trace, command=f"fractrain compare --machines {shlex.quote(str(path))}")


def _longest(traces: Sequence[Trace]) -> Trace | None:
    return max(traces, key=lambda each: each.steps * each.batch, default=None)


def _same_task(one: Trace, other: Trace) -> bool:
    return (one.model, one.images, one.batch, one.steps) == (
        *(other.model, other.images, other.batch, other.steps),
    )
