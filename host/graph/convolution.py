"""One pass of one convolution, as a value: for backends, compiler and cost models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.precision import Operand, Pass, Precision

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Convolution:
    """One pass of a convolution of ``geometry``; pairs are of its operands, (row, column).

        forward    y[n,k,p,q]  = Σ_{c,r,s} a[n,c,p·t+r−d,q·t+s−d] · w[k,c,r,s]     row a, column w
        error      dx[n,c,h,w] = Σ_{k,r,s} e[n,k,p,q] · w[k,c,r,s]                 row e, column w
        gradient   dw[k,c,r,s] = Σ_{n,p,q} a[n,c,p·t+r−d,q·t+s−d] · e[n,k,p,q]     row a, column e

    with the stride t, the padding d, and in the error pass all p, q, r, s with p·t+r−d = h and
    q·t+s−d = w.

    ``bits``: of the multiplied operands. ``stored``: of the operands in memory, at least as many;
    the most significant ``bits`` are read. ``signed``: two's complement, else unsigned.
    """

    pass_: Pass
    geometry: Geometry
    bits: tuple[int, int]
    stored: tuple[int, int]
    signed: tuple[bool, bool]

    @cached_property
    def row_shape(self) -> Shape:
        return operand_shapes(self.pass_, self.geometry)[0]

    @cached_property
    def column_shape(self) -> Shape:
        return operand_shapes(self.pass_, self.geometry)[1]

    @cached_property
    def result_shape(self) -> Shape:
        return operand_shapes(self.pass_, self.geometry)[2]

    @property
    def precision(self) -> Precision:
        """Of its slot, in a program for exactly its ``bits``."""
        return pass_precision(self.pass_, self.bits)

    @property
    def macs(self) -> int:
        """Multiply-accumulates, those with padding included."""
        return self.geometry.macs


def operand_shapes(pass_: Pass, geometry: Geometry) -> tuple[Shape, Shape, Shape]:
    """Of the row operand, the column operand and the result of a pass."""
    if pass_ is Pass.FORWARD:
        return geometry.activations, geometry.weights, geometry.errors
    if pass_ is Pass.ERROR:
        return geometry.errors, geometry.weights, geometry.activations
    return geometry.activations, geometry.errors, geometry.weights


def pass_precision(pass_: Pass, bits: tuple[int, int]) -> Precision:
    """A precision with ``bits`` of the operands of ``pass_``, (row, column), and 1 of the third,
    which nothing reads."""
    widths = {pass_.row: bits[0], pass_.column: bits[1]}
    return Precision(*(widths.get(operand, 1) for operand in Operand))


def usual_convolution(
    pass_: Pass, geometry: Geometry, bits: tuple[int, int], stored: int | None = None
) -> Convolution:
    """One of unsigned activations, signed weights and errors; ``stored`` of the row operand, as
    many as ``bits`` by default."""
    in_memory = bits[0] if stored is None else stored, bits[1]
    return Convolution(pass_, geometry, bits, in_memory, (pass_.row.signed, pass_.column.signed))
