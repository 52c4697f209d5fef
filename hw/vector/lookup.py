"""A table of constants in look-up tables."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Instance, Module, Mux, Signal, Value

__all__ = ["lookup", "short_lookup"]

LUT_BITS = 6


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


def short_lookup(
    m: Module, table: Sequence[int], width: int, index: Value, *, name: str, primitives: bool
) -> Value:
    """``table[index]`` of at most 64 entries.

    ``primitives``: of a LUT6 for each bit; else in plain logic, of which synthesis makes several
    levels that bits share.
    """
    assert len(table) <= 1 << LUT_BITS and len(index) <= LUT_BITS
    if not primitives:
        return lookup(table, width, index)
    result = Signal(width, name=name)
    inputs = Cat(index, Const(0, LUT_BITS - len(index))) if len(index) < LUT_BITS else index
    for bit in range(width):
        init = sum((entry >> bit & 1) << place for place, entry in enumerate(table))
        m.submodules[f"{name}_{bit}"] = Instance(
            "LUT6",
            p_INIT=Const(init, 1 << LUT_BITS),
            **{f"i_I{number}": inputs[number] for number in range(LUT_BITS)},
            o_O=result[bit],
        )
    return result
