"""`fractrain board status`: the state of the board, read without changing anything."""

from __future__ import annotations

import argparse
import textwrap

from fractrain.host.board.system import SIMULATED
from fractrain.host.cli.board import SUBCOMMANDS
from fractrain.host.cli.board_options import DEVICE_OPTIONS, open_system
from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import FLAG
from fractrain.host.plugins.option import Option

WIDTH = 100

EPILOG = """\
Registers in the FPGA are read only if its clock runs as the bitstream was built for: with a wrong
clock the access might never end. And only if `fractrain board load` has noted since boot that the
design in it is this bitstream's: another one may not answer either.
A simulated board is new each time, so it is loaded first."""

OPTIONS = (
    *DEVICE_OPTIONS,
    Option(
        "loaded_by_boot",
        "read registers without such a note: U-Boot has loaded this very bitstream (of another "
        "design the processor may wait for ever)",
        form=FLAG,
    ),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``status`` and its options."""
    description = "Show clock, machine, counters and buffer, and change nothing."
    add_command(subparsers, "status", description, EPILOG, OPTIONS, help=SUBCOMMANDS["status"])


def run(args: argparse.Namespace) -> int:
    """Show it."""
    from fractrain.host.board.device import BoardDevice
    from fractrain.host.board.status import board_status

    with open_system(args) as system:
        if args.device == SIMULATED:
            BoardDevice.open(system).close()
        lines = board_status(system, loaded_by_boot=args.loaded_by_boot)
    width = max(map(len, lines))
    for name, text in lines.items():
        head = f"{name:<{width}}  "
        print(textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head)))
    return 0
