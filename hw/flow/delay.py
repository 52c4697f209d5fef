"""Delays that align the parts of a pipeline."""

from typing import Any

from amaranth.hdl import Module, Signal, Value, ValueLike
from amaranth.lib import data

__all__ = ["delayed", "stepped"]


def delayed(
    m: Module, value: ValueLike, cycles: int, *, name: str, reset_less: bool = True
) -> Signal | data.View:
    """``value`` as it was ``cycles`` clock cycles ago; ``value`` itself for 0.

    The delays of a copy (`copies`) are no copies: they have no attributes.
    """
    for cycle in range(1, cycles + 1):
        later = Signal.like(value, name=f"{name}_{cycle}", reset_less=reset_less, attrs={})
        m.d.sync += later.eq(value)
        value = later
    return value


def stepped(m: Module, value: Any, steps: int, enable: Value, *, name: str) -> list[Any]:
    """``value``, and as it was 1 .. ``steps`` cycles of ``enable`` ago; without attributes, too."""
    found = [value]
    for number in range(steps):
        later = Signal.like(value, name=f"{name}_{number}", attrs={})
        with m.If(enable):
            m.d.sync += later.eq(found[-1])
        found.append(later)
    return found
