"""Convolutions, and the operations that make real numbers of their sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from fractrain.host.graph.convolution import Convolution
from fractrain.host.graph.geometry import Geometry
from fractrain.host.graph.operations.operation import Operation
from fractrain.host.graph.tensor import Bits, BySlot, Fixed, Tensor
from fractrain.hw.contract.precision import Pass, Precision


@dataclass(frozen=True, eq=False)
class Convolve(Operation):
    """result = one pass of a convolution of ``row`` and ``column`` (`Convolution` has the formula).

    Exact integers of integers; of real tensors, real numbers. ``bits`` are those of the operands;
    real ones count as if they had them. ``layer``: the layer that the weights belong to.
    ``ones``: the second product of odd weights; it costs, but does not count as the layer's own
    multiply-accumulates.
    """

    pass_: Pass
    geometry: Geometry
    row: Tensor
    column: Tensor
    result: Tensor
    bits: tuple[Bits, Bits]
    layer: str
    ones: bool = False
    reads: ClassVar[tuple[str, ...]] = ("row", "column")
    makes: ClassVar[tuple[str, ...]] = ("result",)

    def convolution(self, table: Sequence[Precision]) -> Convolution:
        """As a value, where the slots have the precisions of ``table``; the same one every time."""
        row, column = self.bits
        bits = width(row, table), width(column, table)
        row, column = self.row.stored.bits or row, self.column.stored.bits or column
        stored = width(row, table), width(column, table)
        found = self._values.get((bits, stored))
        if found is None:
            signed = self.row.signed, self.column.signed
            found = Convolution(self.pass_, self.geometry, bits, stored, signed)
            self._values[bits, stored] = found
        return found

    @cached_property
    def _values(self) -> dict[tuple[tuple[int, int], tuple[int, int]], Convolution]:
        """Those made so far."""
        return {}


def width(bits: Bits, table: Sequence[Precision]) -> int:
    """As a number, where the slots have the precisions of ``table``.

    Not of normalized tensors, which no convolution reads.
    """
    if isinstance(bits, Fixed):
        return bits.bits
    assert isinstance(bits, BySlot)
    return table[bits.slot].bits(bits.operand)


@dataclass(frozen=True, eq=False)
class OddSums(Operation):
    """result = 2·sums − minus: Σ a·(2q + 1) = 2·Σ a·q + Σ a, as ``minus`` = −Σ a.

    Without ``minus`` (the weights are no odd levels): sums.
    """

    sums: Tensor
    minus: Tensor
    result: Tensor
    reads: ClassVar[tuple[str, ...]] = ("sums", "minus")
    makes: ClassVar[tuple[str, ...]] = ("result",)
    optional: ClassVar[tuple[str, ...]] = ("minus",)


@dataclass(frozen=True, eq=False)
class Dequantize(Operation):
    """y = sums · scale(row) · scale(column), in float32."""

    sums: Tensor
    row: Tensor
    column: Tensor
    y: Tensor
    reads: ClassVar[tuple[str, ...]] = ("sums", "row", "column")
    makes: ClassVar[tuple[str, ...]] = ("y",)
