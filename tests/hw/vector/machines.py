"""Machines with a vector unit, small ones."""

from fractrain.hw.contract.parameters import Parameters
from tests.hw.machines import machine

__all__ = ["machine_with_unit"]

SIZES = {
    "staging_words": 1024,
    "side_words": 512,
    "side_bits": 8,
    "parameter_words": 256,
    "moment_words": 64,
    "peak_words": 32,
}


def machine_with_unit(
    preset: str = "tiny", changes: dict[str, object] | None = None, **sizes: int
) -> Parameters:
    """``sizes``: of its vector unit; ``changes``: of the rest, as `machine` takes them."""
    return machine(preset, vector=SIZES | sizes, **changes or {})
