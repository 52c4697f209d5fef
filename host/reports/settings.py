"""Configurations side by side: shared and differing settings."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.host.reports.run import Run
from fractrain.host.reports.units import MISSING

# What is not a setting, or too long for a cell.
LEFT_OUT = ("blocks", "units", "command")


@dataclass(frozen=True)
class Setting:
    """One setting of all runs, as text; `MISSING` where a run does not record it."""

    name: str
    values: Sequence[str]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


def command_line(run: Run) -> str | None:
    """The command that made the run, quoted for a shell; None if it is not recorded."""
    command = run.config.get("command")
    if isinstance(command, str):
        return command
    return shlex.join(map(str, command)) if isinstance(command, list) and command else None


def settings(runs: Sequence[Run]) -> list[Setting]:
    """All settings that any run records, dotted, in the order of the files."""
    recorded = [dict(_settings(run)) for run in runs]
    names = dict.fromkeys(name for each in recorded for name in each)
    return [
        Setting(name, [each.get(name, MISSING) for each in recorded])
        for name in sorted(names, key=_rank)
    ]


def _settings(run: Run) -> Iterator[tuple[str, str]]:
    yield from _flat({key: value for key, value in run.config.items() if key not in LEFT_OUT})
    yield "residual blocks", str(len(run.blocks))
    if run.summary is not None and "weights_sha256" in run.summary:
        yield "weights_sha256", _text(run.summary["weights_sha256"])


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in record.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _text(value)


def _text(value: object) -> str:
    if value is None:
        return MISSING
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _rank(name: str) -> int:
    """Versions and fingerprints last; the sort is stable."""
    return 1 if name.startswith("versions.") else 2 if name == "weights_sha256" else 0
