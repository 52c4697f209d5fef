"""The three convolutions in float32 or float64, as sums of products and nothing else.

Both classes compute every output as a sum of products of one element of each operand, in any order,
with or without fused multiply-add. So the result is exact if no partial sum can be rounded, which
`host.backends.torch.exact` ensures. Algorithms that transform their operands first (Winograd's,
Fourier's) are not of this kind.

Operands and results are float tensors of one type, in the memory format ``channels_last``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from fractrain.host.graph.convolution import Convolution
from fractrain.host.graph.geometry import Pair, output_size
from fractrain.hw.contract.precision import Pass

Tensor = Any

COLUMN_ELEMENTS = 1 << 26
"""Elements of the columns that `MatrixKernels` makes at a time: 256 MB of float32."""


class Kernels(ABC):
    """``stride`` and ``padding`` hold for both directions, as in `host.accelerator`."""

    @abstractmethod
    def forward(self, a: Tensor, w: Tensor, stride: int, padding: int) -> Tensor:
        """``y[N,K,P,Q]`` of ``a[N,C,H,W]`` and ``w[K,C,R,S]``."""

    @abstractmethod
    def error(self, e: Tensor, w: Tensor, stride: int, padding: int, size: Pair) -> Tensor:
        """``dx[N,C,H,W]`` of ``e[N,K,P,Q]`` and ``w[K,C,R,S]``; ``size`` is (H, W)."""

    @abstractmethod
    def gradient(self, a: Tensor, e: Tensor, stride: int, padding: int, kernel: Pair) -> Tensor:
        """``dw[K,C,R,S]`` of ``a[N,C,H,W]`` and ``e[N,K,P,Q]``; ``kernel`` is (R, S)."""

    def convolve(self, convolution: Convolution, row: Tensor, column: Tensor) -> Tensor:
        """Any of them."""
        geometry = convolution.geometry
        at = geometry.stride, geometry.padding
        if convolution.pass_ is Pass.FORWARD:
            return self.forward(row, column, *at)
        if convolution.pass_ is Pass.ERROR:
            return self.error(row, column, *at, geometry.size)
        return self.gradient(row, column, *at, geometry.kernel)


class DirectKernels(Kernels):
    """PyTorch's own convolutions on the CPU: oneDNN's direct ones for float32.

    For small tensors and float64 PyTorch uses matrix products over unfolded pixels, which are sums
    of products, too. Call them inside `host.backends.torch.settings.exact_float32`.
    """

    def forward(self, a: Tensor, w: Tensor, stride: int, padding: int) -> Tensor:
        from torch.nn.functional import conv2d

        return conv2d(a, w, stride=stride, padding=padding)

    def error(self, e: Tensor, w: Tensor, stride: int, padding: int, size: Pair) -> Tensor:
        a = _unread(e, (e.shape[0], w.shape[1], *size))
        return _backward(e, a, w, stride, padding, error=True)

    def gradient(self, a: Tensor, e: Tensor, stride: int, padding: int, kernel: Pair) -> Tensor:
        w = _unread(e, (e.shape[1], a.shape[1], *kernel))
        return _backward(e, a, w, stride, padding, error=False)


def _unread(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """An operand of which only the shape is used; its memory is never touched."""
    import torch

    return torch.empty(shape, dtype=like.dtype, memory_format=torch.channels_last)


def _backward(e: Tensor, a: Tensor, w: Tensor, stride: int, padding: int, *, error: bool) -> Tensor:
    """One of the two backward passes; of the other's operand only the shape is read."""
    from torch.ops import aten

    results = aten.convolution_backward(
        *(e, a, w, None, [stride] * 2, [padding] * 2, [1, 1]),
        *(False, [0, 0], 1, [error, not error, False]),
    )
    return results[0 if error else 1]


class MatrixKernels(Kernels):
    """Matrix products over unfolded pixels, for devices that choose algorithms for convolutions.

        forward    y  = w · unfold(a)
        error      dx = fold(wᵀ · e)
        gradient   dw = Σ_n e[n] · unfold(a[n])ᵀ

    Images are handled in groups, so that the columns fit in memory.
    """

    def forward(self, a: Tensor, w: Tensor, stride: int, padding: int) -> Tensor:
        from torch import cat
        from torch.nn.functional import unfold

        kernel = tuple(w.shape[2:])
        size = output_size(tuple(a.shape[2:]), kernel, stride, padding)
        matrix = w.reshape(len(w), -1)
        parts = [
            matrix @ unfold(a[group], kernel, padding=padding, stride=stride)
            for group in _groups(len(a), matrix.shape[1] * size[0] * size[1])
        ]
        return _channels_last(cat(parts).reshape(len(a), len(w), *size))

    def error(self, e: Tensor, w: Tensor, stride: int, padding: int, size: Pair) -> Tensor:
        from torch import cat
        from torch.nn.functional import fold

        kernel = tuple(w.shape[2:])
        matrix = w.reshape(len(w), -1).T
        pixels = e.shape[2] * e.shape[3]
        parts = [
            fold(
                matrix @ e[group].reshape(-1, len(w), pixels),
                *(size, kernel),
                padding=padding,
                stride=stride,
            )
            for group in _groups(len(e), matrix.shape[0] * pixels)
        ]
        return _channels_last(cat(parts))

    def gradient(self, a: Tensor, e: Tensor, stride: int, padding: int, kernel: Pair) -> Tensor:
        from torch.nn.functional import unfold

        filters, channels = e.shape[1], a.shape[1]
        depth = channels * kernel[0] * kernel[1]
        total = e.new_zeros((filters, depth))
        for group in _groups(len(a), depth * e.shape[2] * e.shape[3]):
            columns = unfold(a[group], kernel, padding=padding, stride=stride)
            pixels = columns.transpose(1, 2).reshape(-1, depth)
            total += e[group].permute(1, 0, 2, 3).reshape(filters, -1) @ pixels
        return total.reshape(filters, channels, *kernel)


def _groups(images: int, elements: int) -> list[slice]:
    """Slices of the batch small enough for their columns, ``elements`` for each image, to fit in
    memory."""
    count = max(1, COLUMN_ELEMENTS // elements)
    return [slice(start, start + count) for start in range(0, images, count)]


def _channels_last(x: Tensor) -> Tensor:
    from torch import channels_last

    return x.contiguous(memory_format=channels_last)
