"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from fractrain.host.board.power.sampler import HIGHEST_RATE_HZ
from fractrain.hw.contract.parameters import preset_names
from fractrain.hw.contract.values import Real, Whole

BATCH = Whole(1, 65_536)
"""Twice the largest batches that networks have been trained with."""

RATE = Real(0, HIGHEST_RATE_HZ, above=True)
"""Samples of sensors in a second."""


def add_config(
    parser: argparse._ActionsContainer, *, default: str | None, shown: str | None = None
) -> None:
    """``--config``: the machine, by preset or by file. ``shown``: the default in words, where it
    depends on other options."""
    parser.add_argument(
        "--config",
        default=default,
        metavar="NAME|FILE",
        help=f"the machine: a preset ({', '.join(preset_names())}) or a YAML file "
        f"(default: {shown or default})",
    )


def add_runs(parser: argparse._ActionsContainer) -> None:
    """``RUN…`` and ``--runs``: training runs by folder or by name."""
    parser.add_argument(
        "run", nargs="+", metavar="RUN", help="the folder of a run, or its name in --runs"
    )
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("runs"),
        metavar="FOLDER",
        help="where runs are looked for by name (default: runs)",
    )
