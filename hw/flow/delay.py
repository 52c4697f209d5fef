"""Delays that align the parts of a pipeline."""

from amaranth.hdl import Module, Signal, ValueLike
from amaranth.lib import data

__all__ = ["delayed"]


def delayed(
    m: Module, value: ValueLike, cycles: int, *, name: str, reset_less: bool = True
) -> Signal | data.View:
    """``value`` as it was ``cycles`` clock cycles ago; ``value`` itself for 0."""
    for cycle in range(1, cycles + 1):
        later = Signal.like(value, name=f"{name}_{cycle}", reset_less=reset_less)
        m.d.sync += later.eq(value)
        value = later
    return value
