"""Small machines with a vector unit."""

from fractrain.hw.contract.parameters import Parameters
from tests.hw.machines import machine

__all__ = ["vector_machine"]


def vector_machine(channels: int = 8, **sizes: int) -> Parameters:
    """A machine with blocks of ``channels``, whose memories hold ``sizes``."""
    vector = {
        "staging_words": 512,
        "side_words": 512,
        "side_bits": 8,
        "parameter_words": 256,
        "moment_words": 64,
        "peak_words": 32,
    }
    preset = {8: "tiny", 16: "zc706"}[channels]
    return machine(preset, vector=vector | sizes)
