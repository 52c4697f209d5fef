"""What the subcommands of `fractrain board` have in common: which board, and how it is opened."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fractrain.host.cli.options import add_config
from fractrain.hw.contract.parameters import load_parameters

if TYPE_CHECKING:
    from fractrain.host.board.system import System

SIMULATED = "simulated"
DEVICES = ("zc706", SIMULATED)


def add_device(parser: argparse.ArgumentParser) -> None:
    """``--device`` and ``--config``."""
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default=DEVICES[0],
        help="zc706: this computer is the board; simulated: the same driver on a simulated board "
        "around the generated RTL (default: %(default)s)",
    )
    add_config(parser, default=None, shown="that of the installed bitstream; simulated: tiny")


@contextlib.contextmanager
def open_system(args: argparse.Namespace, injected: tuple[str, ...] = ()) -> Iterator[System]:
    """The system that the options name, closed in the end; ``injected`` into a simulated board.

    Raises `ParameterError` if ``--config`` is not the machine of the installed bitstream.
    """
    if args.device != SIMULATED:
        from fractrain.host.backends.board import BoardAccelerator
        from fractrain.host.board.linux import LinuxSystem

        if args.config is not None:
            BoardAccelerator.find_parameters(args.config, args.device)
        yield LinuxSystem()
        return
    from fractrain.host.optional import needs_extra

    parameters = load_parameters(args.config or "tiny")
    with needs_extra("hardware"):
        from fractrain.sim.board import SimulatedBoard

        board = SimulatedBoard(parameters, injected)
    with board:
        yield board
