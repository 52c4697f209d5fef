"""Choices among up to eight values, with the wide multiplexers of the 7 series."""

from collections.abc import Sequence

from amaranth.hdl import Instance, Module, Mux, Signal, Value

__all__ = ["LUT_VALUES", "MOST_VALUES", "wide_mux"]

MOST_VALUES = 8
LUT_VALUES = 4
"""As many as a LUT6 chooses from."""


def wide_mux(m: Module, values: Sequence[Value], select: Value, *, name: str) -> Value:
    """``values[select]`` of 2 to 8 values of one width, in instances of MUXF7 and the LUTs before.

    Two LUT6 and the MUXF7 of their slice choose among eight; Yosys by itself takes a third LUT. A
    ``select`` beyond the last value gives anything.
    """
    values = [*values, *[values[-1]] * (MOST_VALUES - len(values))]
    width = len(values[0])
    low, high, chosen = (Signal(width, name=f"{part}_{name}") for part in ("low", "high", "chosen"))
    m.d.comb += [
        low.eq(_one_of(values[:LUT_VALUES], select[:2])),
        high.eq(_one_of(values[LUT_VALUES:], select[:2])),
    ]
    for i, bit in enumerate(chosen):
        m.submodules += Instance("MUXF7", i_I0=low[i], i_I1=high[i], i_S=select[2], o_O=bit)
    return chosen


def _one_of(values: Sequence[Value], number: Value) -> Value:
    """``values[number]`` of four."""
    first, second, third, fourth = values
    return Mux(number[1], Mux(number[0], fourth, third), Mux(number[0], second, first))
