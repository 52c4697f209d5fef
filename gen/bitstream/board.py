"""The ZC706 as the bitstream flows see it: its part, its memory, the clocks that it can give."""

from __future__ import annotations

from hw.contract.errors import ParameterError
from hw.contract.parameters import Parameters

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

HP_PORTS = 4


def require_board(parameters: Parameters) -> None:
    """Raise `ParameterError` for what no flow can do on the ZC706, before hours are spent on it.

    The clock must be one that the processing system makes exactly (1000 MHz by two dividers, at
    most 250 MHz), and there are four HP ports.
    """
    if not (
        parameters.clock_mhz <= FASTEST_MHZ
        and PLL_MHZ % parameters.clock_mhz == 0
        and _dividers_exist(PLL_MHZ // parameters.clock_mhz)
    ):
        possible = [each for each in range(1, FASTEST_MHZ + 1) if PLL_MHZ % each == 0]
        raise ParameterError(
            "clock_mhz",
            parameters.clock_mhz,
            f"on the ZC706: {', '.join(map(str, possible))} (1000 MHz divided by a whole number)",
        )
    if parameters.memory.ports > HP_PORTS:
        raise ParameterError(
            "memory.ports", parameters.memory.ports, f"on the ZC706: 1..{HP_PORTS} (HP ports)"
        )


def _dividers_exist(division: int) -> bool:
    return any(
        division % first == 0 and division // first <= LARGEST_DIVIDER
        for first in range(1, LARGEST_DIVIDER + 1)
    )
