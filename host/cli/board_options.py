"""Options that all subcommands of `fractrain board` share: which board, and how to open it."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from fractrain.host.backends import board_system
from fractrain.host.board.system import LOCAL, SIMULATED
from fractrain.host.cli.options import config_option
from fractrain.host.plugins.option import Option
from fractrain.hw.contract.values import OneWord

if TYPE_CHECKING:
    from fractrain.host.board.system import System

DEVICES = (LOCAL, SIMULATED)

DEVICE_OPTIONS = (
    Option(
        "device",
        "local: this computer is the board; simulated: the same driver on a simulated board "
        "around the generated RTL",
        OneWord(DEVICES),
        DEVICES[0],
    ),
    config_option(None, shown="the installed bitstream's; simulated: tiny"),
)


def open_system(
    args: argparse.Namespace, injected: tuple[str, ...] = ()
) -> AbstractContextManager[System]:
    """`board_system.opened_system` with the values of `DEVICE_OPTIONS`."""
    return board_system.opened_system(args.device, args.config, injected)
