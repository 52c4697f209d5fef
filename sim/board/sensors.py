"""A power sensor that no board has: so `fractrain board power` can be tried anywhere.

Its watts follow from the target's energy constants and the machine's current activity. Nothing is
measured: device and label say ``simulated`` and ``modelled``.
"""

from __future__ import annotations

from fractrain.hw.contract.parameters import Parameters

__all__ = ["FILES", "POWER", "modelled_watts"]

FOLDER = "/sys/class/hwmon/hwmon0"
POWER = f"{FOLDER}/power1_input"

FILES = {f"{FOLDER}/name": "simulated\n", f"{FOLDER}/power1_label": "modelled\n", POWER: "0\n"}


def modelled_watts(parameters: Parameters, *, clocked: bool, running: bool) -> float:
    """Of the FPGA, the processor system and its DDR3, without the energy of moving bytes."""
    energy = parameters.target.energy
    per_cycle = energy.joules_per_bit_product * parameters.bit_products_per_cycle
    share = energy.clock_share * clocked + (1 - energy.clock_share) * (clocked and running)
    return energy.static_watts + share * per_cycle * parameters.clock_mhz * 1e6
