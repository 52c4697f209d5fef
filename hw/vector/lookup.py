"""A table of constants in look-up tables."""

from collections.abc import Sequence

from amaranth.hdl import Const, Mux, Value

__all__ = ["lookup"]


def lookup(table: Sequence[int], width: int, index: Value) -> Value:
    """``table[index]``; beyond its end, anything.

    As a tree of multiplexers: of 64 entries synthesis makes a LUT6, where of a ``Switch`` it
    compares the index with each.
    """
    half = 1 << len(index) - 1 if len(index) else 0
    if not half or all(each == table[0] for each in table):
        return Const(table[0], width)
    below = lookup(table[:half], width, index[:-1])
    if len(table) <= half:
        return below
    return Mux(index[-1], lookup(table[half:], width, index[:-1]), below)
