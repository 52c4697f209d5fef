"""A power sensor that the ZC706 does not have: so `fractrain board power` can be tried anywhere.

Its watts are the modelled ones of docs/step_model.md for the machine's current activity. Nothing is
measured: device and label say ``simulated`` and ``modelled``.
"""

from __future__ import annotations

from fractrain.hw.contract.parameters import Parameters

__all__ = ["FILES", "POWER", "modelled_watts"]

FOLDER = "/sys/class/hwmon/hwmon0"
POWER = f"{FOLDER}/power1_input"

FILES = {f"{FOLDER}/name": "simulated\n", f"{FOLDER}/power1_label": "modelled\n", POWER: "0\n"}

STATIC_WATTS = 2.33
JOULES_PER_BIT_PRODUCT = 0.7e-12
CLOCK_SHARE = 0.16
"""As `host.modelling.energy` has them, with their sources; a test compares them."""


def modelled_watts(parameters: Parameters, *, clocked: bool, running: bool) -> float:
    """Of the FPGA, the processor system and its DDR3, without the energy of moving bytes."""
    per_cycle = JOULES_PER_BIT_PRODUCT * parameters.bit_products_per_cycle
    share = CLOCK_SHARE * clocked + (1 - CLOCK_SHARE) * (clocked and running)
    return STATIC_WATTS + share * per_cycle * parameters.clock_mhz * 1e6
