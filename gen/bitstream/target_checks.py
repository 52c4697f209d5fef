"""Refuses machines that their target cannot carry, before the tools run for hours."""

from __future__ import annotations

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters

__all__ = ["require_target"]


def require_target(parameters: Parameters) -> None:
    """Raise `ParameterError` for a machine that no flow can put on its target.

    The clock must be one that the processing system makes, given to the kHz (166.667 is 1000 MHz /
    6), and there must be as many memory ports.
    """
    target, clock = parameters.target, parameters.clock_mhz
    clocks, ports = target.clocks, target.ports
    if not clocks.possible(clock):
        nearest = ", ".join(f"{each:g}" for each in clocks.nearest(clock))
        raise ParameterError(
            "clock_mhz",
            clock,
            f"on the {target.title}: {clocks.io_pll_mhz:g} divided by a whole number, with three "
            f"decimals, at most {clocks.fastest_mhz:g}; nearest: {nearest}",
        )
    if parameters.memory.ports > ports.memory:
        allowed = f"on the {target.title}: 1..{ports.memory} (HP ports)"
        raise ParameterError("memory.ports", parameters.memory.ports, allowed)
