"""Convolutions of bytes, summed in 32 bits: what processors have instructions for (VNNI, AMX).

oneDNN multiplies unsigned by signed bytes. PyTorch's quantized convolution gives access to it; with
scales of 1 it is a convolution of integers, and a zero point is subtracted from the unsigned ones:

    forward    activations − 0, by weights
    error      (errors + 128) − 128, with zeros between them where the stride is more than 1, by
               the weights of the other direction: turned by 180 degrees, filters and channels
               exchanged

Sums leave as float32, so they must be within 2^24, like all others (`host.backends.torch.exact`).
Where a processor has no such instructions oneDNN adds in 16 bits that saturate: a probe
(`host.backends.torch.probe`) finds that out when the backend is opened. On a CPU with AMX these two
passes take a third of the time of float32 with 16 channels, a fifth with more.
"""

from __future__ import annotations

from typing import Any

from fractrain.host.graph.geometry import Pair

Tensor = Any

LONGEST_SUM = 1 << 16
"""Terms, of at most 255 · 128 each: a sum has 32 bits."""

OFFSET = 128
"""Of errors."""


class ByteKernels:
    """``forward`` of uint8 and int8, ``error`` of int8 and int8, `channels_last`; float32 results.

    ``y`` are weights [K,C,R,S]. None where bytes are of no use: other types, paddings wider than
    the kernel in an error, sums that are too long.
    """

    def forward(self, x: Tensor, y: Tensor, stride: int, padding: int) -> Tensor | None:
        import torch

        if x.dtype != torch.uint8 or y.dtype != torch.int8 or y[0].numel() > LONGEST_SUM:
            return None
        return _convolve(x, 0, y, stride, (padding, padding))

    def error(self, x: Tensor, y: Tensor, stride: int, padding: int, size: Pair) -> Tensor | None:
        import torch

        filters, _, height, width = y.shape
        around = height - 1 - padding, width - 1 - padding
        if x.dtype != torch.int8 or y.dtype != torch.int8 or min(around) < 0:
            return None
        if filters * height * width > LONGEST_SUM:
            return None
        unsigned = x.view(torch.uint8) ^ OFFSET
        if stride > 1:
            apart = size[0] - around[0] + padding, size[1] - around[1] + padding
            spread = torch.empty(
                (*x.shape[:2], *apart), dtype=torch.uint8, memory_format=torch.channels_last
            ).fill_(OFFSET)
            spread[:, :, ::stride, ::stride] = unsigned
            unsigned = spread
        return _convolve(unsigned, OFFSET, y.flip(2, 3).transpose(0, 1), 1, around)


def _convolve(x: Tensor, zero: int, w: Tensor, stride: int, padding: Pair) -> Tensor:
    """Σ (x − ``zero``)·w, float32."""
    import torch
    from torch.ops import onednn

    ones, zeros = _of_filters(len(w))
    where = [stride, stride], list(padding), [1, 1], 1
    packed = onednn.qconv_prepack(
        w.contiguous(memory_format=torch.channels_last), ones, 1.0, zero, *where, list(x.shape)
    )
    return onednn.qconv2d_pointwise(
        *(x, 1.0, zero, packed, ones, zeros, None, *where),
        *(1.0, 0, torch.float32, "none", [], ""),
    )


def _of_filters(count: int) -> tuple[Tensor, Tensor]:
    """Scales and zero points."""
    import torch

    return torch.ones(count), torch.zeros(count, dtype=torch.int64)
