"""Integer sums of products in float32, without ever rounding: bounds, digits, groups of images.

A sum of products of integers is exact in floating point, whatever the order and with or without
fused multiply-add, when the magnitudes of the products in it add up to at most 2^24 in float32, or
2^53 in float64: every partial sum is then an integer that the format holds (the argument of
`sim.golden.exact`). float64 costs 15 to 30 times as much as float32 on a CPU, so these bounds are
as tight as is cheap. With max over all elements of a tensor, ‖·‖₁ the sum of magnitudes and ‖·‖₂
the Euclidean norm:

    forward    max|a| · max_k ‖w[k]‖₁
    error      max|e| · max_c ‖w[:,c]‖₁
    gradient   max_c ‖a[:,c]‖₂ · max_k ‖e[:,k]‖₂         (Cauchy and Schwarz)

The last also holds for any subset of the products, as norms of parts are no greater. If the widths
of the operands alone bound the sum well enough, no values are read. On other devices than a CPU
they are never read, as every convolution would wait for the device. If a bound is too great:

- The gradient's batch is cut into the fewest groups of consecutive images that satisfy it.
- An operand x is split in two digits, x = 2^d·high + low, high = ⌊x / 2^d⌋, 0 ≤ low < 2^d, both
  integers. Each is split again if need be.
- Where digits can become no smaller (more than 2^24 terms in a sum), float64 multiplies.

The results of groups and digits are added in float64, or in int64 if that might round.

Bytes within these bounds are multiplied as bytes where the processor can
(`host.backends.torch.byte_kernels`); everything else as float32.

A tensor with a NaN (`host.numerics.quantization`) has no bound; its result is NaN in any
arithmetic, so none is chosen for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.backends.torch.byte_kernels import ByteKernels
from fractrain.host.backends.torch.kernels import Kernels
from fractrain.host.graph.convolution import Convolution
from fractrain.host.graph.geometry import Pair
from fractrain.hw.contract.precision import Pass

Tensor = Any

FLOAT32_BOUND = 1 << 24
FLOAT64_BOUND = 1 << 53

MOST_GROUPS = 16
"""Of a gradient: with more, two digits are faster (each group costs about 4 % of the whole)."""

LONG_SUM = 1 << 20
"""Terms; the bounds of longer sums are computed in float64."""

EVERY = slice(None)


@dataclass(frozen=True)
class Operand:
    """``values``, all of them integers of at most ``magnitude``: uint8, int8 or float32,
    `channels_last`."""

    values: Tensor
    magnitude: int

    @cached_property
    def floats(self) -> Tensor:
        """The same as float32."""
        import torch

        return self.values.to(torch.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)

    def split(self) -> tuple[int, Operand, Operand]:
        """(d, high, low) with values = 2^d·high + low; both are of less magnitude, if that is
        more than 1."""
        digit = self.magnitude.bit_length() // 2
        step = 1 << digit
        high = (self.floats * (1 / step)).floor_()  # exact: a power of two
        low = self.floats.sub(high, alpha=step)
        return digit, Operand(high, -(-self.magnitude // step)), Operand(low, step - 1)


class Sums(ABC):
    """One convolution: what it computes of two operands, and how great partial sums can be.

    ``reads_data`` says whether bounds may look at values, not at widths only; ``of_bytes`` is how
    bytes are multiplied, None: as float32.
    """

    def __init__(
        self,
        kernels: Kernels,
        stride: int,
        padding: int,
        *,
        reads_data: bool,
        of_bytes: ByteKernels | None = None,
    ) -> None:
        self._kernels, self._stride, self._padding = kernels, stride, padding
        self._reads_data, self._of_bytes = reads_data, of_bytes

    @abstractmethod
    def groups(self, x: Operand, y: Operand, most: int) -> list[slice] | None:
        """Groups of images, at most ``most``, in each of which no partial sum exceeds
        `FLOAT32_BOUND`; None if there are none. What does not sum over images is one group."""

    @abstractmethod
    def terms(self, x: Operand, y: Operand) -> int:
        """Products in one sum."""

    @abstractmethod
    def product(self, x: Tensor, y: Tensor) -> Tensor:
        """The sums, in the type of the operands."""

    def of_bytes(self, x: Tensor, y: Tensor) -> Tensor | None:
        """The sums as float32, if the operands are bytes and these can be multiplied."""
        return None


class _Filtered(Sums):
    """The two passes that meet each of the weights ``y`` once for each output."""

    summed: tuple[int, ...]
    """Axes of the weights that are summed over."""

    def groups(self, x: Operand, y: Operand, most: int) -> list[slice] | None:
        bound: float = self.terms(x, y) * x.magnitude * y.magnitude
        if bound > FLOAT32_BOUND and self._reads_data:
            import torch

            # float64: integers below 2^53, so exact
            norms = y.floats.abs().sum(dim=self.summed, dtype=torch.float64)
            bound = x.magnitude * float(norms.amax())
        return None if bound > FLOAT32_BOUND else [EVERY]

    def terms(self, x: Operand, y: Operand) -> int:
        return int(np.prod([y.values.shape[axis] for axis in self.summed]))


class ForwardSums(_Filtered):
    """Of activations and weights."""

    summed = (1, 2, 3)

    def product(self, x: Tensor, y: Tensor) -> Tensor:
        return self._kernels.forward(x, y, self._stride, self._padding)

    def of_bytes(self, x: Tensor, y: Tensor) -> Tensor | None:
        if self._of_bytes is None:
            return None
        return self._of_bytes.forward(x, y, self._stride, self._padding)


class ErrorSums(_Filtered):
    """Of errors and weights, for an input of ``size``."""

    summed = (0, 2, 3)

    def __init__(
        self,
        kernels: Kernels,
        stride: int,
        padding: int,
        size: Pair,
        *,
        reads_data: bool,
        of_bytes: ByteKernels | None = None,
    ) -> None:
        super().__init__(kernels, stride, padding, reads_data=reads_data, of_bytes=of_bytes)
        self._size = size

    def product(self, x: Tensor, y: Tensor) -> Tensor:
        return self._kernels.error(x, y, self._stride, self._padding, self._size)

    def of_bytes(self, x: Tensor, y: Tensor) -> Tensor | None:
        if self._of_bytes is None:
            return None
        return self._of_bytes.error(x, y, self._stride, self._padding, self._size)


class GradientSums(Sums):
    """Of activations and errors, for a ``kernel``."""

    def __init__(
        self, kernels: Kernels, stride: int, padding: int, kernel: Pair, *, reads_data: bool
    ) -> None:
        super().__init__(kernels, stride, padding, reads_data=reads_data)
        self._kernel = kernel

    def groups(self, x: Operand, y: Operand, most: int) -> list[slice] | None:
        images = len(y.values)
        bound = self.terms(x, y) * x.magnitude * y.magnitude
        if bound <= FLOAT32_BOUND:
            return [EVERY]
        if self._reads_data:
            return _groups_by_norms(_squared_norms(x.floats), _squared_norms(y.floats), most)
        count = FLOAT32_BOUND * images // bound
        if count == 0 or count * most < images:
            return None
        return [slice(start, start + count) for start in range(0, images, count)]

    def terms(self, x: Operand, y: Operand) -> int:
        images, _, height, width = y.values.shape
        return images * height * width

    def product(self, x: Tensor, y: Tensor) -> Tensor:
        return self._kernels.gradient(x, y, self._stride, self._padding, self._kernel)


def make_sums(
    convolution: Convolution,
    kernels: Kernels,
    of_bytes: ByteKernels | None = None,
    *,
    reads_data: bool,
) -> Sums:
    """Those of ``convolution``."""
    geometry = convolution.geometry
    at = kernels, geometry.stride, geometry.padding
    if convolution.pass_ is Pass.FORWARD:
        return ForwardSums(*at, reads_data=reads_data, of_bytes=of_bytes)
    if convolution.pass_ is Pass.ERROR:
        return ErrorSums(*at, geometry.size, reads_data=reads_data, of_bytes=of_bytes)
    return GradientSums(*at, geometry.kernel, reads_data=reads_data)


def exact_sums(sums: Sums, x: Operand, y: Operand) -> Tensor:
    """The integers of ``sums``: float32 if one product gives them, float64 if that holds what is
    added up, int64 else."""
    import torch

    parts = _parts(sums, x, y, 0)
    total, bound = None, 0
    for part in parts:
        if total is None:
            if part.whole:
                return part.sums
            total = torch.zeros_like(part.sums, dtype=torch.float64)
        bound += part.bound
        if bound > FLOAT64_BOUND:
            total = total.to(torch.int64)
        total.add_(part.sums.to(total.dtype), alpha=1 << part.shift)
    return total


@dataclass(frozen=True)
class _Part:
    """2^shift · ``sums`` is one of the terms of the result, at most ``bound`` in magnitude;
    ``whole``: the only one."""

    sums: Tensor
    shift: int
    bound: int
    whole: bool


def _parts(
    sums: Sums, x: Operand, y: Operand, shift: int, *, whole: bool = True
) -> Iterator[_Part]:
    larger = max(x.magnitude, y.magnitude)
    groups = sums.groups(x, y, MOST_GROUPS if larger > 1 else len(x.values))
    if groups is not None:
        product = sums.of_bytes(x.values, y.values) if groups == [EVERY] else None
        if product is not None:
            yield _Part(product, shift, FLOAT32_BOUND << shift, whole)
            return
        for group in groups:
            # of the weights, which have no images, `EVERY` takes all
            product = sums.product(x.floats[group], y.floats[group])
            yield _Part(product, shift, FLOAT32_BOUND << shift, whole and len(groups) == 1)
    elif larger == 1:
        product = sums.product(x.floats.double(), y.floats.double())
        yield _Part(product, shift, sums.terms(x, y) << shift, whole)
    elif x.magnitude == larger:
        digit, high, low = x.split()
        yield from _parts(sums, high, y, shift + digit, whole=False)
        yield from _parts(sums, low, y, shift, whole=False)
    else:
        digit, high, low = y.split()
        yield from _parts(sums, x, high, shift + digit, whole=False)
        yield from _parts(sums, x, low, shift, whole=False)


def _squared_norms(x: Tensor) -> NDArray[np.float64]:
    """``[N,C]`` upper bounds of the sums of squares of ``x[N,C,H,W]`` over its pixels.

    Each of the m squares goes through one multiplication and fewer than m additions, all of
    non-negative numbers and each rounding by 2^-24 of its result at most, so that what is computed
    is at least (1 − 2^-24)^m ≥ 1 / (1 + m·2^-23) of the truth, for m ≤ 2^22.
    """
    images, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(images, height, width * channels)
    if height * width > LONG_SUM:
        rows = rows.double()  # 29 bits more, the same formula
    squares = (rows * rows).sum(1).view(images, width, channels).sum(1)
    margin = 1 + min(height * width, LONG_SUM) * 2.0**-23
    return squares.numpy().astype(np.float64) * margin


def _groups_by_norms(
    a: NDArray[np.float64], e: NDArray[np.float64], most: int
) -> list[slice] | None:
    """The fewest groups of images with max_c Σ a[n,c] · max_k Σ e[n,k] ≤ `FLOAT32_BOUND`²."""
    limit = FLOAT32_BOUND**2 * (1 - 1e-9)  # of sums of float64
    groups: list[slice] = []
    start = 0
    while start < len(a):
        bounds = a[start:].cumsum(0).max(1) * e[start:].cumsum(0).max(1)
        exceeding = bounds > limit  # a NaN does not
        count = int(exceeding.argmax()) if exceeding.any() else len(bounds)
        if count == 0 or len(groups) == most:
            return None
        groups.append(slice(start, start + count))
        start += count
    return groups
