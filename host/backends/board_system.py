"""The operating system of the board that a command works on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fractrain.host.board.system import SIMULATED
from fractrain.host.usual_machines import USUAL_CONFIG
from fractrain.hw.contract.parameters import load_parameters

if TYPE_CHECKING:
    from fractrain.host.board.system import System

__all__ = ["opened_system"]


@contextlib.contextmanager
def opened_system(
    device: str, config: str | None, injected: tuple[str, ...] = ()
) -> Iterator[System]:
    """The system ``device`` with the machine ``config`` (None: the installed bitstream's, or the
    default one), closed at the end; ``injected``: defects of a simulated board.

    Raises `ParameterError` if ``config`` is not the machine of the installed bitstream.
    """
    from fractrain.host.backends.board import BoardAccelerator, close_system, open_system

    parameters = None
    if device == SIMULATED:
        parameters = load_parameters(config or USUAL_CONFIG)
    elif config is not None:
        BoardAccelerator.find_parameters(config, device)
    system = open_system(device, parameters, injected)
    try:
        yield system
    finally:
        close_system(system)
