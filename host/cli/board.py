"""`fractrain board`: bring up, inspect and load a board; one module for each subcommand.

A subcommand is a module ``host.cli.board_<name>`` with ``add_parser`` and ``run`` as the commands
of `host.cli.main` have them, and a line in `SUBCOMMANDS`.
"""

from __future__ import annotations

import argparse
import importlib
from types import ModuleType

SUBCOMMANDS = {
    "bringup": "prove the board stage by stage, from its clock to a residual block",
    "status": "show clock, machine, counters and buffer, and change nothing",
    "load": "load the bitstream, set its clock, and check both",
    "power": "measure power: accelerator idle, clocked and running",
}

EPILOG = """\
examples:
  fractrain board bringup                          on the board, as root
  fractrain board bringup --device simulated       anywhere: the same driver on the RTL
  fractrain board load                             once after each boot, as root
  fractrain board power --seconds 30 --out power.jsonl
  fractrain board SUBCOMMAND --help

docs/board.md has the way from a bare board to training."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``board`` and its subcommands."""
    parser = subparsers.add_parser(
        "board",
        description="Everything about the board itself.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = parser.add_subparsers(dest="board", metavar="SUBCOMMAND", title="subcommands")
    for name in SUBCOMMANDS:
        _module(name).add_parser(inner)
    parser.set_defaults(board_help=parser.print_help)


def run(args: argparse.Namespace) -> int:
    """Run the subcommand; without one, list them."""
    if args.board is None:
        args.board_help()
        return 0
    code: int = _module(args.board).run(args)
    return code


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"fractrain.host.cli.board_{name}")
