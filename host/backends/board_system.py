"""The operating system of the board: this computer's, or a simulated one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fractrain.host.accelerator import USUAL_CONFIG
from fractrain.host.board.system import SIMULATED
from fractrain.hw.contract.installation import needs_extra
from fractrain.hw.contract.parameters import load_parameters

if TYPE_CHECKING:
    from fractrain.host.board.system import System

__all__ = ["open_system"]


@contextlib.contextmanager
def open_system(
    device: str, config: str | None, injected: tuple[str, ...] = ()
) -> Iterator[System]:
    """The system ``device`` with the machine ``config`` (None: the installed bitstream's, or the
    default one), closed at the end; ``injected``: defects of a simulated board.

    Raises `ParameterError` if ``config`` is not the machine of the installed bitstream.
    """
    if device != SIMULATED:
        from fractrain.host.backends.board import BoardAccelerator
        from fractrain.host.board.linux import LinuxSystem

        if config is not None:
            BoardAccelerator.find_parameters(config, device)
        yield LinuxSystem()
        return
    parameters = load_parameters(config or USUAL_CONFIG)
    with needs_extra("hardware"):
        from fractrain.sim.board import SimulatedBoard

        board = SimulatedBoard(parameters, injected)
    with board:
        yield board
