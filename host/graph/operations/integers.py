"""Operations of the integer step, forward and backward; `sim.golden.step` defines their integers.

Each is one of the four passes over the elements of a layer: `Narrow`, `Form`, `Join`, `Apply`.
``range_name``: the greatest magnitude of the last step, real, that the operation's scale is made
from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fractrain.host.graph.operations.operation import Operation
from fractrain.host.graph.tensor import Bits, Tensor


@dataclass(frozen=True, eq=False)
class Narrow(Operation):
    """y = sat16(round(sums · 2^−s)), and of each chunk and channel n, Σy, n·Σy² − (Σy)²."""

    sums: Tensor
    row: Tensor
    column: Tensor
    y: Tensor
    range_name: str
    reads: ClassVar[tuple[str, ...]] = ("sums", "row", "column")
    makes: ClassVar[tuple[str, ...]] = ("y",)


@dataclass(frozen=True, eq=False)
class Form(Operation):
    """x̂ᵢ of each yᵢ by the statistics of its chunk;  z = Σᵢ (Gᵢ·x̂ᵢ + Bᵢ) + ρ·residual, and of z

        a = clip(round(z), 0, 2^b − 1)        activations at ``bits``
        r = the same with ``residual_bits``, on the same range
        mask = z > 0                          in training

    ``kept``: x̂ᵢ for the way back. ``inner``: z is formed from those; else from x̂ᵢ of
    12 bits, `hw.contract.normalized.WIDE`. A missing yᵢ adds nothing; without any, r is the
    residual, and there is no mask. ``running``: mean and variance of each yᵢ, which training moves
    and evaluation reads. ``slots``: of the convolutions.

    The first result, ``a`` or ``r``, stands for z in the way back.
    """

    ys: tuple[Tensor, ...]
    gammas: tuple[Tensor, ...]
    betas: tuple[Tensor, ...]
    running: tuple[tuple[Tensor, Tensor], ...]
    residual: Tensor | None
    a: Tensor | None
    r: Tensor | None
    mask: Tensor | None
    kept: tuple[Tensor, ...]
    slots: tuple[int, ...]
    bits: Bits
    inner: bool
    range_name: str
    reads: ClassVar[tuple[str, ...]] = ("ys", "residual")
    makes: ClassVar[tuple[str, ...]] = ("a", "r", "mask", "kept")
    optional: ClassVar[tuple[str, ...]] = ("ys", "residual")


@dataclass(frozen=True, eq=False)
class Join(Operation):
    """E = sat16(mask · Σ) of all errors at what was formed: ``sums`` of convolutions of ``rows``
    and ``columns``, of so many products (``depths``), and ``streams``, in steps of 2^k; and of each
    chunk and channel ΣE, Σ(E·x̂ᵢ) with the x̂ᵢ of ``kept``."""

    sums: tuple[Tensor, ...]
    rows: tuple[Tensor, ...]
    columns: tuple[Tensor, ...]
    depths: tuple[int, ...]
    streams: tuple[Tensor, ...]
    mask: Tensor | None
    kept: tuple[Tensor, ...]
    e: Tensor
    range_name: str
    reads: ClassVar[tuple[str, ...]] = ("sums", "rows", "columns", "streams", "mask", "kept")
    makes: ClassVar[tuple[str, ...]] = ("e",)
    optional: ClassVar[tuple[str, ...]] = ("sums", "rows", "columns", "streams", "mask", "kept")


@dataclass(frozen=True, eq=False)
class Apply(Operation):
    """q = γ/σ · (E − ΣE/n − x̂·Σ(E·x̂)/n), rounded stochastically;   dγ = Σ E·x̂,   dβ = Σ E,

    over all chunks, in float64. ``number``: of the tensor, for its random bits.
    """

    e: Tensor
    kept: Tensor
    gamma: Tensor
    q: Tensor
    dgamma: Tensor
    dbeta: Tensor
    place: int
    number: int
    range_name: str
    reads: ClassVar[tuple[str, ...]] = ("e", "kept")
    makes: ClassVar[tuple[str, ...]] = ("q", "dgamma", "dbeta")


@dataclass(frozen=True, eq=False)
class PoolSums(Operation):
    """y[n,c] = Σ over pixels of x[n,c], exact, times the scale and 1/pixels in float64."""

    x: Tensor
    y: Tensor
    reads: ClassVar[tuple[str, ...]] = ("x",)
    makes: ClassVar[tuple[str, ...]] = ("y",)


@dataclass(frozen=True, eq=False)
class SpreadErrors(Operation):
    """E[n,c,h,w] = round(e[n,c] / pixels / 2^k), 16 bits, k by this batch's greatest |e|."""

    e: Tensor
    dx: Tensor
    reads: ClassVar[tuple[str, ...]] = ("e",)
    makes: ClassVar[tuple[str, ...]] = ("dx",)


@dataclass(frozen=True, eq=False)
class AddSums(Operation):
    """∂loss/∂parameter = sums · scale(row) · scale(column): exact sums of ``depth`` products, over
    all chunks."""

    parameter: Tensor
    sums: Tensor
    row: Tensor
    column: Tensor
    depth: int
    reads: ClassVar[tuple[str, ...]] = ("sums", "row", "column")


@dataclass(frozen=True, eq=False)
class ChooseEarly(Operation):
    """Choose the precision of block number ``block`` before the step, from the means that
    `RecordMeans` has of the mini-batch before; in evaluation, from their running means."""

    block: int


@dataclass(frozen=True, eq=False)
class RecordMeans(Operation):
    """Means of a block's input ``x`` over images and pixels, [C]: the selector's next choice."""

    x: Tensor
    block: int
    reads: ClassVar[tuple[str, ...]] = ("x",)


@dataclass(frozen=True, eq=False)
class NormShare(Operation):
    """share = ∂loss/∂s = Σ_c (γ·dγ + β·dβ) of a path that counts s times; 0 where it was
    skipped."""

    e: Tensor
    gamma: Tensor
    beta: Tensor
    dgamma: Tensor
    dbeta: Tensor
    share: Tensor
    reads: ClassVar[tuple[str, ...]] = ("e", "dgamma", "dbeta")
    makes: ClassVar[tuple[str, ...]] = ("share",)
    optional: ClassVar[tuple[str, ...]] = ("dgamma", "dbeta")


@dataclass(frozen=True, eq=False)
class LearnChoice(Operation):
    """The selector learns from ∂loss/∂share of the path of block number ``block``."""

    share: Tensor
    block: int
    reads: ClassVar[tuple[str, ...]] = ("share",)
