"""Operations around the convolutions of a network, in float32, forward and backward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fractrain.host.graph.operations.operation import Operation
from fractrain.host.graph.tensor import Tensor

NORM_EPSILON = 1e-5
NORM_MOMENTUM = 0.1
"""Weight of the newest batch in the running statistics."""


@dataclass(frozen=True, eq=False)
class BatchNorm(Operation):
    """y = γ·x̂ + β with x̂ = (x − mean) / √(variance + `NORM_EPSILON`), of each channel.

    Training uses the statistics of the batch (variance without Bessel's correction) and moves the
    running ones, ``mean`` and ``variance`` (with it), by `NORM_MOMENTUM`; evaluation uses those.
    ``saved`` is x̂ and 1/√…, in a form of the arithmetic's.

    ``group``: the batch is cut into *ghost batches* of so many images, the last one may be smaller,
    each normalized by its own statistics; the running ones follow their means. None: the whole
    batch is one. Hardware that keeps only part of a batch on the chip can normalize nothing larger.

    Sources: Ioffe and Szegedy, Batch Normalization, 2015; Hoffer et al., Train longer, generalize
    better, 2017 (ghost batches).
    """

    x: Tensor
    gamma: Tensor
    beta: Tensor
    mean: Tensor
    variance: Tensor
    y: Tensor
    saved: Tensor
    group: int | None
    reads: ClassVar[tuple[str, ...]] = ("x", "gamma", "beta")
    makes: ClassVar[tuple[str, ...]] = ("y", "saved")


@dataclass(frozen=True, eq=False)
class BatchNormBackward(Operation):
    """dγ = Σ e·x̂,   dβ = Σ e,   dx = γ / √(variance + ε) · (e − dβ/n − x̂·dγ/n)

    of n elements per channel, in each ghost batch; dγ and dβ are one for each of those.
    """

    e: Tensor
    saved: Tensor
    gamma: Tensor
    dx: Tensor
    dgamma: Tensor
    dbeta: Tensor
    group: int | None
    reads: ClassVar[tuple[str, ...]] = ("e", "saved", "gamma")
    makes: ClassVar[tuple[str, ...]] = ("dx", "dgamma", "dbeta")


@dataclass(frozen=True, eq=False)
class Rectify(Operation):
    """y = max(x, 0), and ``mask``: where y > 0."""

    x: Tensor
    y: Tensor
    mask: Tensor
    reads: ClassVar[tuple[str, ...]] = ("x",)
    makes: ClassVar[tuple[str, ...]] = ("y", "mask")
    bypassed: ClassVar[str | None] = "x"


@dataclass(frozen=True, eq=False)
class RectifyBackward(Operation):
    """dx = e where y > 0, else 0."""

    e: Tensor
    mask: Tensor
    dx: Tensor
    reads: ClassVar[tuple[str, ...]] = ("e", "mask")
    makes: ClassVar[tuple[str, ...]] = ("dx",)
    bypassed: ClassVar[str | None] = "e"


@dataclass(frozen=True, eq=False)
class Add(Operation):
    """y = x + other. A missing one counts as 0; without either there is no y.

    On the way back it adds the errors from all readers of a tensor, in the order of the way back.
    The smaller tensor of a gate is spread over images and pixels.
    """

    x: Tensor
    other: Tensor
    y: Tensor
    reads: ClassVar[tuple[str, ...]] = ("x", "other")
    makes: ClassVar[tuple[str, ...]] = ("y",)
    optional: ClassVar[tuple[str, ...]] = ("x", "other")


@dataclass(frozen=True, eq=False)
class Pool(Operation):
    """y[n,c] = mean of x[n,c] over all pixels."""

    x: Tensor
    y: Tensor
    reads: ClassVar[tuple[str, ...]] = ("x",)
    makes: ClassVar[tuple[str, ...]] = ("y",)


@dataclass(frozen=True, eq=False)
class PoolBackward(Operation):
    """dx[n,c,h,w] = e[n,c] / pixels."""

    e: Tensor
    dx: Tensor
    reads: ClassVar[tuple[str, ...]] = ("e",)
    makes: ClassVar[tuple[str, ...]] = ("dx",)


@dataclass(frozen=True, eq=False)
class Linear(Operation):
    """y[n,k] = Σ_c x[n,c]·weight[k,c] + bias[k]."""

    x: Tensor
    weight: Tensor
    bias: Tensor
    y: Tensor
    reads: ClassVar[tuple[str, ...]] = ("x", "weight", "bias")
    makes: ClassVar[tuple[str, ...]] = ("y",)


@dataclass(frozen=True, eq=False)
class LinearBackward(Operation):
    """dweight[k,c] = Σ_n e[n,k]·x[n,c], dbias[k] = Σ_n e[n,k],  dx[n,c] = Σ_k e[n,k]·weight[k,c]"""

    e: Tensor
    x: Tensor
    weight: Tensor
    dx: Tensor
    dweight: Tensor
    dbias: Tensor
    reads: ClassVar[tuple[str, ...]] = ("e", "x", "weight")
    makes: ClassVar[tuple[str, ...]] = ("dx", "dweight", "dbias")


@dataclass(frozen=True, eq=False)
class Loss(Operation):
    """loss = mean over images of −log softmax(logits)[label], and the error at the logits:
    (softmax − onehot) / images."""

    logits: Tensor
    labels: Tensor
    loss: Tensor
    error: Tensor
    reads: ClassVar[tuple[str, ...]] = ("logits", "labels")
    makes: ClassVar[tuple[str, ...]] = ("loss", "error")


@dataclass(frozen=True, eq=False)
class AddGradient(Operation):
    """∂loss/∂parameter += gradient, the parts of ghost batches one after the other.
    Nothing where the gradient is missing."""

    parameter: Tensor
    gradient: Tensor
    reads: ClassVar[tuple[str, ...]] = ("gradient",)


@dataclass(frozen=True, eq=False)
class Update(Operation):
    """v ← momentum·v + ∂loss/∂parameter + decay·parameter;   parameter ← parameter − rate·v

    with the constants of the run's optimizer. ∂loss/∂parameter is 0 again when the next way back
    begins.
    """

    parameter: Tensor
    reads: ClassVar[tuple[str, ...]] = ("parameter",)
