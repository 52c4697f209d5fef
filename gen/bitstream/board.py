"""The ZC706 as the bitstream flows see it: its part, its memory, the clocks that it can give."""

from __future__ import annotations

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters

__all__ = ["DDR_BYTES", "PART", "require_board"]

PART = "xc7z045ffg900-2"

DDR_BYTES = 1 << 30
"""The DDR3 of the processing system: 1 GB (UG954), from address 0."""

PLL_MHZ = 1000
"""The IO PLL of the board, from which FCLK_CLK0 is divided."""
LARGEST_DIVIDER = 63
"""FCLK_CLK0 has two dividers of 6 bits each (UG585, FPGA0_CLK_CTRL)."""
FASTEST_MHZ = 250
"""The fastest FCLK_CLK0 that the configuration of the processing system takes."""

DECIMALS = 3
"""Of a clock in MHz, as a user gives it: enough to tell all that are possible apart."""

HP_PORTS = 4


def require_board(parameters: Parameters) -> None:
    """Raise `ParameterError` for what no flow can do on the ZC706, before hours are spent on it.

    The clock must be one that the processing system makes (1000 MHz by two dividers, at most
    250 MHz), given to the kHz: 166.667 is 1000 MHz / 6. There are four HP ports.
    """
    clock, possible = parameters.clock_mhz, _possible_clocks()
    if clock > FASTEST_MHZ or round(clock, DECIMALS) not in possible:
        below = [each for each in possible if each < clock][-1:]
        above = [each for each in possible if each > clock][:1]
        raise ParameterError(
            "clock_mhz",
            clock,
            "on the ZC706: 1000 divided by a whole number, with three decimals, at most "
            f"{FASTEST_MHZ}; nearest: {', '.join(f'{each:g}' for each in below + above)}",
        )
    if parameters.memory.ports > HP_PORTS:
        raise ParameterError(
            "memory.ports", parameters.memory.ports, f"on the ZC706: 1..{HP_PORTS} (HP ports)"
        )


def _possible_clocks() -> list[float]:
    """In MHz, rising, from the lowest that a configuration can ask for."""
    divisions = range(PLL_MHZ, PLL_MHZ // FASTEST_MHZ - 1, -1)
    return [round(PLL_MHZ / each, DECIMALS) for each in divisions if _dividers_exist(each)]


def _dividers_exist(division: int) -> bool:
    return any(
        division % first == 0 and division // first <= LARGEST_DIVIDER
        for first in range(1, LARGEST_DIVIDER + 1)
    )
