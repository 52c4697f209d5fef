"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

from fractrain.host.plugins.option import Form, Option
from fractrain.host.runs.options import BATCH
from fractrain.hw.contract.parameters import preset_names
from fractrain.hw.contract.values import OneWord

__all__ = [
    "BATCH",
    "DEFAULT_MODE",
    "FLAG",
    "MACHINES",
    "RUNS",
    "RUN_FOLDER",
    "SEVERAL",
    "config_option",
    "file_option",
    "mode_option",
]

FLAG, SEVERAL = Form.FLAG, Form.SEVERAL

RUN_FOLDER = Option(
    "runs", "where runs are looked for by name", Path, Path("runs"), metavar="FOLDER"
)

RUNS = (
    Option(
        "run",
        "the folder of a run, or its name in --runs",
        form=Form.ARGUMENTS,
        metavar="RUN",
    ),
    RUN_FOLDER,
)
"""Training runs, by folder or by name."""


MACHINES = Option("machines", "on other machines, too, modelled", form=Form.FLAG)


def config_option(default: str | None, *, shown: str | None = None) -> Option:
    """``--config``: the machine, by preset or by file. ``shown``: the default in words, where it
    depends on other options."""
    about = f"the machine: a preset ({', '.join(preset_names())}) or a YAML file"
    return Option("config", about, None, default, metavar="NAME|FILE", shown=shown)


DEFAULT_MODE = "hardware"


def mode_option(default: str | None = DEFAULT_MODE) -> Option:
    """``--mode`` of a step on a machine; reference mode has no integers."""
    about = "what is around the convolutions: integers, or float32 (docs/numerics.md)"
    return Option("mode", about, OneWord((DEFAULT_MODE, "float")), default, shown=DEFAULT_MODE)


def file_option(name: str, about: str, metavar: str = "FILE") -> Option:
    """A file (or folder) to write."""
    return Option(name, about, Path, metavar=metavar)
