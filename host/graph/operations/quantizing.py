"""Real tensors to integers of a chosen width (`host.numerics.quantization` has the arithmetic).

A quantized tensor is integers q and one scale; its value is scale · q.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fractrain.host.graph.operations.operation import Operation
from fractrain.host.graph.tensor import Tensor

RANGE_MOMENTUM = 0.1
"""Weight of the newest batch in the running mean of an activation's range."""


@dataclass(frozen=True, eq=False)
class QuantizePixels(Operation):
    """q = the top bits of ``images``, unsigned integers of ``image_bits`` bits each worth
    ``scale``."""

    images: Tensor
    pixels: Tensor
    image_bits: int
    scale: float
    reads: ClassVar[tuple[str, ...]] = ("images",)
    makes: ClassVar[tuple[str, ...]] = ("pixels",)


@dataclass(frozen=True, eq=False)
class MeasureRange(Operation):
    """range = the greatest value of x (or as the arithmetic measures it), in training.

        running ← running + `RANGE_MOMENTUM` · (range − running)

    or as the arithmetic follows it, which may count it ``times`` times: once for each path that
    reads x. In evaluation, range = running, so that a prediction does not depend on which images
    share its batch; the range of x if nothing is known yet.
    """

    x: Tensor
    running: Tensor
    extent: Tensor
    times: int = 1
    reads: ClassVar[tuple[str, ...]] = ("x",)
    makes: ClassVar[tuple[str, ...]] = ("extent",)


@dataclass(frozen=True, eq=False)
class QuantizeActivations(Operation):
    """q = round(x / scale), 0 .. 2^b − 1, over the range ``extent``; what exceeds it saturates."""

    x: Tensor
    extent: Tensor
    q: Tensor
    reads: ClassVar[tuple[str, ...]] = ("x", "extent")
    makes: ClassVar[tuple[str, ...]] = ("q",)


@dataclass(frozen=True, eq=False)
class TopPlanes(Operation):
    """q = stored >> (its bits − b): the b most significant planes, read where they are."""

    stored: Tensor
    q: Tensor
    reads: ClassVar[tuple[str, ...]] = ("stored",)
    makes: ClassVar[tuple[str, ...]] = ("q",)


@dataclass(frozen=True, eq=False)
class QuantizeWeights(Operation):
    """q = round(x / scale), symmetric over the greatest magnitude of x, or in the levels that the
    arithmetic gives narrow weights.

    ``odd``: widths at which they are odd levels, scale · (2q + 1) with q = floor(x / (2·scale));
    products with such weights have a second part (`OddSums`).
    """

    x: Tensor
    q: Tensor
    odd: tuple[int, ...]
    reads: ClassVar[tuple[str, ...]] = ("x",)
    makes: ClassVar[tuple[str, ...]] = ("q",)


@dataclass(frozen=True, eq=False)
class QuantizeErrors(Operation):
    """q = x / scale rounded stochastically, symmetric over the greatest magnitude of x.

    Random numbers are drawn in the order of these operations.
    """

    x: Tensor
    q: Tensor
    reads: ClassVar[tuple[str, ...]] = ("x",)
    makes: ClassVar[tuple[str, ...]] = ("q",)


@dataclass(frozen=True, eq=False)
class MinusOnes(Operation):
    """q = −1 everywhere: the kernel of ones on a machine that has 0 and −1 in one bit."""

    q: Tensor
    makes: ClassVar[tuple[str, ...]] = ("q",)
