"""Which of its equivalent forms a design is emitted in."""

import enum

__all__ = ["Flavour"]


class Flavour(enum.Enum):
    """SYNTHESIS follows the configuration (vendor primitives); SIMULATION is its fast twin.

    Both have the same ports and the same latency, and give the same results in every cycle;
    that the two count alike is proved,
    that they accumulate alike is tested (tests/hw/mac).
    """

    SYNTHESIS = "synthesis"
    SIMULATION = "simulation"
