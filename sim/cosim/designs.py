"""The Verilog of `gen`'s designs, written once for every content, as that takes seconds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from fractrain import gen, hw
from fractrain.gen.build_hash import build_hash
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cosim.cache import build_root, cached_folder, content_hash
from fractrain.sim.cosim.compile import Design
from fractrain.sim.progress import activity

VERILOG = "design.v"
CLOCK_MARGIN_SECONDS = 2.0

_own: dict[tuple[str, Parameters], str] = {}
"""What this process has written of sources that have changed since it began."""


def cached_design(name: str, parameters: Parameters, emit: Callable[[], str]) -> Design:
    """The design ``name`` of ``parameters``, with the Verilog ``emit()``.

    The text is cached by everything that it depends on: parameters, the sources of `hw` and `gen`,
    and the version of Amaranth. If a source has changed since this process began, the running code
    may be older than the file, and only this process uses what it writes.
    """
    folders = [Path(str(package.__file__)).parent for package in (hw, gen)]
    sources = sorted(file for folder in folders for file in folder.rglob("*.py"))
    started = process_start()
    if started is None or any(file.stat().st_mtime > started for file in sources):
        if (name, parameters) not in _own:
            _own[name, parameters] = _emitted(name, emit)
        return Design(name, _own[name, parameters])
    key = content_hash(name, *(build_hash(parameters, folder) for folder in folders))

    def build(folder: Path) -> None:
        (folder / VERILOG).write_text(_emitted(name, emit), encoding="utf-8")

    folder = cached_folder(build_root() / "verilog", key, build)
    return Design(name, (folder / VERILOG).read_text(encoding="utf-8"))


def _emitted(name: str, emit: Callable[[], str]) -> str:
    with activity(f"generating the Verilog of {name}"):
        return emit()


def process_start() -> float | None:
    """When this process began, in seconds of the system's clock, rounded down; None if the system
    does not say."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        boot = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
        return boot + int(fields[19]) / os.sysconf("SC_CLK_TCK") - CLOCK_MARGIN_SECONDS
    except (OSError, StopIteration, ValueError, IndexError):
        return None
