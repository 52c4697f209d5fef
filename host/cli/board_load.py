"""`fractrain board load`: the bitstream into the FPGA, its clock set, and both checked."""

from __future__ import annotations

import argparse

from fractrain.host.cli.board import SUBCOMMANDS
from fractrain.host.cli.board_options import DEVICE_OPTIONS, open_system
from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import FLAG
from fractrain.host.plugins.option import Option

EPILOG = """\
The bitstream is that in /lib/firmware/fractrain, or in the folder FRACTRAIN_BITSTREAM. Needs root,
and a kernel that loads bitstreams (the vendor's linux-xlnx; mainline Linux does not, there U-Boot
does). Leaves a note in /run/fractrain, by which users without root know what is loaded and that
FCLK0 is right."""

OPTIONS = (
    *DEVICE_OPTIONS,
    Option("again", "load it even if it has been loaded since boot", form=FLAG),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``load`` and its options."""
    description = "Load the bitstream, set its clock, and check both."
    add_command(subparsers, "load", description, EPILOG, OPTIONS, help=SUBCOMMANDS["load"])


def run(args: argparse.Namespace) -> int:
    """Load, and report."""
    from fractrain.host.board.device import BoardDevice

    with open_system(args) as system, BoardDevice(system) as device:
        print(f"bitstream  {device.reserve()}")
        print(f"FPGA       {device.configure(again=args.again)}")
        print(f"FCLK0      {'; '.join(device.set_clock())}")
        print(f"machine    {device.identify()}")
    return 0
