"""Energy of a training step: a model with published constants, not a measurement.

    joules = static_watts · seconds
           + J · (clock_share · cycles + (1 − clock_share) · busy_cycles)
           + joules_per_byte · bytes_moved

with ``J`` = ``joules_per_bit_product`` · ``bit_products_per_cycle``, what the fabric takes in a
cycle in which the array multiplies. The constants are the target's (`hw.targets.target.Energy`).
Counted are the FPGA, its processor system and the DDR3 devices; not the regulators, the fan and
whatever else is on the board. Nothing here can be validated before there is a board: the absolute
figures may be off by a factor of 1.5, ratios between steps depend on the shares only.
docs/step_model.md derives each constant and says how uncertain it is.
"""

from __future__ import annotations

from fractrain.hw.contract.parameters import Parameters

__all__ = ["joules"]


def joules(parameters: Parameters, cycles: float, busy_cycles: float, bytes_moved: float) -> float:
    """Modelled energy of ``cycles``, in ``busy_cycles`` of which the array multiplies."""
    energy = parameters.target.energy
    seconds = cycles / (parameters.clock_mhz * 1e6)
    per_cycle = energy.joules_per_bit_product * parameters.bit_products_per_cycle
    fabric = energy.clock_share * cycles + (1 - energy.clock_share) * busy_cycles
    return energy.static_watts * seconds + per_cycle * fabric + energy.joules_per_byte * bytes_moved
