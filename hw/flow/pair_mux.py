"""Multiplexers of two values, two bits in a look-up table."""

from amaranth.hdl import Cat, Const, Instance, Module, Mux, Signal, Value

__all__ = ["pair_mux"]


def pair_mux(
    m: Module, select: Value, one: Value, other: Value, *, name: str, primitives: bool
) -> Value:
    """``one`` where ``select`` is 1, else ``other``, which is as wide.

    ``primitives``: of LUT6_2, which hold two bits each; else in plain logic, which mapping leaves
    in a look-up table for each bit.
    """
    if not primitives:
        return Mux(select, one, other)
    result = Signal(len(one), name=name)
    for low in range(0, len(one), 2):
        bits = [*other[low : low + 2], *one[low : low + 2]]
        inputs = bits if len(bits) == 4 else [bits[0], Const(0, 1), bits[1], Const(0, 1)]
        outputs = Signal(2, name=f"{name}_{low}")
        m.submodules[f"{name}_{low}"] = Instance(
            "LUT6_2",
            p_INIT=Const(PAIR_TABLE, 64),
            **{f"i_I{index}": bit for index, bit in enumerate(inputs)},
            i_I4=select,
            i_I5=Const(1, 1),
            o_O5=outputs[0],
            o_O6=outputs[1],
        )
        m.d.comb += result[low : low + 2].eq(Cat(outputs))
    return result


def _pair_table() -> int:
    """INIT of a LUT6_2 with the inputs other (2), one (2), select."""
    table = 0
    for index in range(1 << 5):
        chosen = index >> 2 & 3 if index >> 4 & 1 else index & 3
        table |= (chosen & 1) << index | (chosen >> 1) << index + (1 << 5)
    return table


PAIR_TABLE = _pair_table()
