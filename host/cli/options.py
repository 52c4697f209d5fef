"""Options that several commands share."""

from __future__ import annotations

import argparse

from hw.contract.parameters import preset_names


def add_config(parser: argparse._ActionsContainer, *, default: str) -> None:
    """``--config``: the machine, by preset or by file."""
    parser.add_argument(
        "--config",
        default=default,
        metavar="NAME|FILE",
        help=f"the machine: a preset ({', '.join(preset_names())}) or a YAML file "
        f"(default: {default})",
    )
