"""Registers that exist several times, so that none drives too much of the chip."""

from amaranth.hdl import Module, Signal, ValueLike

__all__ = ["COPY", "copies", "copy_to"]

COPY = {"keep": "true"}
"""Attribute of a register: synthesis keeps it beside equal ones; place and route may still copy
it."""


def copies(
    count: int, *, name: str, width: int = 1, init: int = 0, reset_less: bool = False
) -> list[Signal]:
    """``count`` registers that are to have the same value; see `copy_to`.

    None may be a port of its module as it is, where Amaranth drops attributes: there must be logic
    in between.
    """
    return [
        Signal(width, name=f"{name}_{i}", init=init, reset_less=reset_less, attrs=COPY)
        for i in range(count)
    ]


def copy_to(m: Module, registers: list[Signal], value: ValueLike) -> None:
    """All ``registers`` become ``value`` with the clock."""
    m.d.sync += [each.eq(value) for each in registers]
