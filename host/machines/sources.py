"""Where users get traces from: a run, a file, or a mix written down."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fractrain.host.files.regular import read_object
from fractrain.host.machines import mixes
from fractrain.host.machines.run_traces import trace_of_run, trace_of_summary
from fractrain.host.machines.trace import Trace
from fractrain.host.machines.trace_files import is_trace, read_trace
from fractrain.host.reports.run import find_run, read_run
from fractrain.hw.contract.errors import DataError, ParameterError

FORMS = f"a run's folder or name, a trace or summary file (.json), or a mix,\n{mixes.FORM}"


def load_traces(given: Sequence[str], root: Path) -> list[Trace]:
    """Of each of ``given``; `ParameterError` if two are the same."""
    found: list[Trace] = []
    for each in given:
        trace = load_trace(each, root)
        if trace in found:
            raise ParameterError("RUN", each, "each trace once")
        found.append(trace)
    return found


def load_trace(given: str, root: Path) -> Trace:
    """The trace of ``given``, one of `FORMS`; runs are looked for in ``root``, too.

    Raises `DataError` for what is not there or has no trace, `ParameterError` for a mix of another
    form.
    """
    path = Path(given)
    if given.endswith(".json"):
        return trace_of_file(path)
    if ":" in given and not path.exists() and not (root / given).exists():
        return mixes.read_mix(given)
    return trace_of_run(read_run(find_run(given, root)))


def trace_of_file(path: Path) -> Trace:
    """Of a trace file, or of the summary of a run without gates."""
    document = read_object(path)
    if is_trace(document):
        return read_trace(path)
    trace = trace_of_summary(path, document)
    if trace is None:
        raise DataError(
            f"{path}: gates chose the bits of this run, and a summary does not have them: "
            "`fractrain trace RUN` makes a trace of the run's folder"
        )
    return trace
