"""The three convolutions of training, written out as sums, in int64.

With stride t and padding d, indices outside a tensor reading as zero, and Σ over every index that
is not on the left:

    forward    y[n,k,p,q]  = Σ a[n, c, t·p + r − d, t·q + s − d] · w[k,c,r,s]
    error      dx[n,c,h,v] = Σ e[n,k,p,q] · w[k,c,r,s]     over  t·p + r − d = h,  t·q + s − d = v
    gradient   dw[k,c,r,s] = Σ e[n,k,p,q] · a[n, c, t·p + r − d, t·q + s − d]

The error and the gradient are the transposes of the forward sum, as the chain rule demands.
Operands are integers of at most 16 bits: a product is below 2^31 and int64 holds any sum of fewer
than 2^32 of them.

Each function is a loop over the taps (r, s) of the kernel; `sim.golden.convolution` is the fast
form of the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Window = tuple[slice, slice, slice, slice]


def forward(a: NDArray[np.integer], w: NDArray[np.integer], stride: int, padding: int) -> Integers:
    """Output ``[N,K,P,Q]`` of activations ``a[N,C,H,W]`` under weights ``w[K,C,R,S]``."""
    padded = _pad(a.astype(np.int64), padding)
    kernel = (w.shape[2], w.shape[3])
    size = _output_size((a.shape[2], a.shape[3]), kernel, stride, padding)
    y = np.zeros((a.shape[0], w.shape[0], *size), np.int64)
    for r, s, window in _taps(kernel, size, stride):
        y += np.einsum("ncpq,kc->nkpq", padded[window], w[:, :, r, s].astype(np.int64))
    return y


def error(
    e: NDArray[np.integer],
    w: NDArray[np.integer],
    stride: int,
    padding: int,
    input_size: tuple[int, int],
) -> Integers:
    """Error ``[N,C,H,W]`` at the input, of the error ``e[N,K,P,Q]`` at the output."""
    height, width = input_size
    kernel, size = (w.shape[2], w.shape[3]), (e.shape[2], e.shape[3])
    padded = np.zeros((e.shape[0], w.shape[1], height + 2 * padding, width + 2 * padding), np.int64)
    for r, s, window in _taps(kernel, size, stride):
        padded[window] += np.einsum(
            "nkpq,kc->ncpq", e.astype(np.int64), w[:, :, r, s].astype(np.int64)
        )
    return padded[:, :, padding : padding + height, padding : padding + width].copy()


def gradient(
    a: NDArray[np.integer],
    e: NDArray[np.integer],
    stride: int,
    padding: int,
    kernel_size: tuple[int, int],
) -> Integers:
    """Gradient ``[K,C,R,S]`` of the weights, from ``a[N,C,H,W]`` and ``e[N,K,P,Q]``."""
    padded = _pad(a.astype(np.int64), padding)
    dw = np.zeros((e.shape[1], a.shape[1], *kernel_size), np.int64)
    for r, s, window in _taps(kernel_size, (e.shape[2], e.shape[3]), stride):
        dw[:, :, r, s] = np.einsum("nkpq,ncpq->kc", e.astype(np.int64), padded[window])
    return dw


def _output_size(
    size: tuple[int, int], kernel: tuple[int, int], stride: int, padding: int
) -> tuple[int, int]:
    return (
        (size[0] + 2 * padding - kernel[0]) // stride + 1,
        (size[1] + 2 * padding - kernel[1]) // stride + 1,
    )


def _pad(a: Integers, padding: int) -> Integers:
    return np.pad(a, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


def _taps(
    kernel: tuple[int, int], size: tuple[int, int], stride: int
) -> Iterator[tuple[int, int, Window]]:
    """Each tap (r, s), with the pixels of the padded input that it meets, one per output pixel."""
    every = slice(None)
    for r in range(kernel[0]):
        for s in range(kernel[1]):
            rows = slice(r, r + stride * (size[0] - 1) + 1, stride)
            columns = slice(s, s + stride * (size[1] - 1) + 1, stride)
            yield r, s, (every, every, rows, columns)
