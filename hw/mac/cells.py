"""The two cells of a counting tree, as plain logic and as 7-series primitives.

Cell 1 counts three products ``a[i] & b[i]``; cell 2 counts up to seven bits of one weight.
Both are combinational; the tree registers every level.
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Protocol

from amaranth.hdl import Cat, Const, Instance, Module, Signal, Value

__all__ = ["InferredCells", "Lut6Cells", "truth_table"]


class Cells(Protocol):
    """The cells of a counting tree; results are bits of weight 1, 2, 4, ..."""

    def count_products(self, m: Module, a: Value, b: Value) -> list[Value]: ...

    def count_bits(self, m: Module, bits: Sequence[Value]) -> list[Value]: ...


class InferredCells:
    """The cells as arithmetic that a synthesis tool maps as it likes."""

    def count_products(self, m: Module, a: Value, b: Value) -> list[Value]:
        return self.count_bits(m, list(a & b))

    def count_bits(self, m: Module, bits: Sequence[Value]) -> list[Value]:
        total = Signal(range(len(bits) + 1))
        m.d.comb += total.eq(sum(bits))
        return list(total)


def truth_table(function: Callable[..., int], inputs: int) -> int:
    """INIT of a LUT: bit ``i`` is ``function`` of the bits of ``i``, least significant first."""
    table = 0
    for index, bits in enumerate(product((0, 1), repeat=inputs)):
        table |= (function(*reversed(bits)) & 1) << index
    return table


def _product_count(*inputs: int) -> int:
    a, b = inputs[:3], inputs[3:]
    return sum(x & y for x, y in zip(a, b, strict=True))


class Lut6Cells:
    """The cells as instantiated LUT6, LUT6_2 and CARRY4 of the 7 series (UG474).

    Three products are the six inputs of two LUT6.

    Three bits are one LUT6_2: sum on O6, carry on O5.

    Five to seven bits are two LUTs on a carry chain. Its position ``i`` adds
    ``S ? 1 : 2*DI`` to the carry that enters it. With ``n`` the count of the first five bits,
    ``x`` the sixth and ``y`` the seventh:

        position 0   S = (n + x) mod 2,  DI = x,  carry in = y
        position 1   S = floor(n/2) = 1,  DI = floor(n/2) = 2

    If ``n + x`` is odd, position 0 adds 1 and ``floor((n + x)/2) = floor(n/2)``; if it is even,
    it adds ``2x`` and ``(n + x)/2 = floor(n/2) + x``. Either way position 1 adds the rest.
    """

    PRODUCTS_SUM = truth_table(lambda *x: _product_count(*x) & 1, 6)
    PRODUCTS_CARRY = truth_table(lambda *x: _product_count(*x) >> 1, 6)
    PARITY = truth_table(lambda *x: sum(x) & 1, 6)
    # Two functions of I0..I4: the upper half of the table is O6 (I5 tied high), the lower O5.
    HALVES = truth_table(lambda *x: sum(x) // 2 == 1, 5) << 32 | truth_table(
        lambda *x: sum(x) // 2 == 2, 5
    )
    FULL_ADDER = truth_table(lambda a, b, c, *_: a + b + c, 5) << 32 | truth_table(
        lambda a, b, c, *_: (a + b + c) >> 1, 5
    )

    def count_products(self, m: Module, a: Value, b: Value) -> list[Value]:
        inputs = Cat(a, Const(0, 3 - len(a)), b, Const(0, 3 - len(b)))
        tables = [self.PRODUCTS_SUM, self.PRODUCTS_CARRY][: len(a).bit_length()]
        return [self._lut6(m, table, inputs) for table in tables]

    def count_bits(self, m: Module, bits: Sequence[Value]) -> list[Value]:
        if len(bits) == 3:
            return list(self._lut6_2(m, self.FULL_ADDER, Cat(*bits)))
        first, sixth, seventh = Cat(*bits[:5]), Cat(*bits[5:6]), Cat(*bits[6:7])
        if len(bits) < 7:
            seventh = Const(0, 1)
        if len(bits) < 6:
            sixth = Const(0, 1)
        propagate_1, generate_1 = self._lut6_2(m, self.HALVES, first)
        propagate_0 = self._lut6(m, self.PARITY, Cat(first, sixth))
        total = Signal(4)
        m.submodules += Instance(
            "CARRY4",
            i_CI=Const(0, 1),
            i_CYINIT=seventh,
            i_S=Cat(propagate_0, propagate_1, Const(0, 2)),
            i_DI=Cat(sixth, generate_1, Const(0, 2)),
            o_O=total,
        )
        return list(total[:3])

    def _lut6(self, m: Module, table: int, inputs: Value) -> Value:
        output = Signal()
        ports = {f"i_I{index}": inputs[index] for index in range(6)}
        m.submodules += Instance("LUT6", p_INIT=Const(table, 64), o_O=output, **ports)
        return output

    def _lut6_2(self, m: Module, table: int, inputs: Value) -> tuple[Value, Value]:
        """(O6, O5) of two functions of the same five inputs."""
        o6, o5 = Signal(), Signal()
        padded = Cat(inputs, Const(0, 5 - len(inputs)))
        ports = {f"i_I{index}": padded[index] for index in range(5)}
        m.submodules += Instance(
            "LUT6_2", p_INIT=Const(table, 64), i_I5=Const(1, 1), o_O6=o6, o_O5=o5, **ports
        )
        return o6, o5
