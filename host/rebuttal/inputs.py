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
from fractrain.host.plugins.option import option_name
from fractrain.host.runs.checks import OF_INTEGERS
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
        """FW8/BW8 of the task, mode, integers and seed of FracTrain's run, or else the longest."""
        known = [each for each in self.traces.values() if each.kept_at == EIGHT]
        return self._beside(self.fractrain, known) or _longest(known)

    @property
    def fractrain(self) -> Trace | None:
        """The longest FracTrain run, of the lowest seed."""
        return _longest(self.fractrain_runs)

    @property
    def fractrain_runs(self) -> list[Trace]:
        """All of them."""
        return [each for each in self.traces.values() if each.source.get("method") == "fractrain"]

    @property
    def pairs(self) -> list[tuple[Trace, Trace]]:
        """Each FracTrain run and the FW8/BW8 run of the same task, mode, integers and seed."""
        known = [each for each in self.traces.values() if each.kept_at == EIGHT]
        beside = ((each, self._beside(each, known)) for each in self.fractrain_runs)
        return [(one, other) for one, other in beside if other is not None]

    @staticmethod
    def _beside(ours: Trace | None, known: Sequence[Trace]) -> Trace | None:
        """That of ``known`` with the task, mode, integers and seed of ``ours``."""
        return next((each for each in known if ours is not None and _alike(each, ours)), None)

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


def _alike(one: Trace, other: Trace) -> bool:
    return _task(one) == _task(other)


def _task(trace: Trace) -> tuple[Any, ...]:
    of = trace.source
    return (
        *(trace.model, trace.images, trace.batch, trace.steps),
        *(of.get("dataset"), of.get("mode"), of.get("seed")),
        _integers(str(of.get("command") or "")),
    )


def _integers(command: str) -> frozenset[str]:
    """Of the options of ``command``, those about the integers of a step, as OPTION=VALUE."""
    words = shlex.split(command)
    pairs = (
        one if "=" in one else f"{one}={other}"
        for one, other in zip(words, [*words[1:], ""], strict=False)
    )
    names = {option_name(each) for each in OF_INTEGERS}
    return frozenset(each for each in pairs if each.partition("=")[0] in names)
