"""The equivalent forms in which a design is emitted."""

import enum

__all__ = ["Flavour"]


class Flavour(enum.Enum):
    """SYNTHESIS follows the configuration (vendor primitives); SIMULATION is its fast twin.

    Both have the same ports, the same latency and the same results in every cycle. A proof shows
    that they count alike, tests that they accumulate alike (tests/hw/mac).
    """

    SYNTHESIS = "synthesis"
    SIMULATION = "simulation"
