"""`fractrain board load`: the bitstream into the FPGA, its clock set, and both checked."""

from __future__ import annotations

import argparse

from fractrain.host.cli.board import SUBCOMMANDS
from fractrain.host.cli.board_options import add_device, open_system

EPILOG = """\
The bitstream is that in /lib/firmware/fractrain, or in the folder FRACTRAIN_BITSTREAM. Needs root,
and a kernel that loads bitstreams (the vendor's linux-xlnx; mainline Linux does not, there U-Boot
does). Leaves a note in /run/fractrain, by which users without root know what is loaded and that
FCLK0 is right."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``load`` and its options."""
    parser = subparsers.add_parser(
        "load",
        help=SUBCOMMANDS["load"],
        description="Load the bitstream, set its clock, and check both.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_device(parser)
    parser.add_argument(
        "--again", action="store_true", help="load it even if it has been loaded since boot"
    )


def run(args: argparse.Namespace) -> int:
    """Load, and say what was done."""
    from fractrain.host.board.device import BoardDevice

    with open_system(args) as system, BoardDevice(system) as device:
        print(f"bitstream  {device.reserve()}")
        print(f"FPGA       {device.configure(again=args.again)}")
        print(f"FCLK0      {'; '.join(device.set_clock())}")
        print(f"machine    {device.identify()}")
    return 0
