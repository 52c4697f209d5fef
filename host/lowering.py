"""Convolutions as matrix products ``C = A * B^T``, the way the matrix engine takes them.

The rows of A and of B run along the same depth, the summed dimension, in the same order:

| pass | rows of A | rows of B | depth |
|---|---|---|---|
| forward | output pixels (n, p, q) | output channels k | (c, r, s) |
| error | input pixels (n, h, w) | input channels c | (k, r, s) |
| gradient | (c, r, s) | output channels k | output pixels (n, p, q) |

In the error pass the errors are spread out by the stride and the kernel is flipped, so it is a
forward convolution again (stride 1, padding ``kernel - 1 - padding``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hw.contract.precision import Pass

Integers = NDArray[np.integer]


@dataclass(frozen=True)
class MatrixProduct:
    """The operands of one pass: ``rows[R, D]`` and ``columns[Q, D]``, for ``rows @ columns.T``."""

    pass_: Pass
    rows: Integers
    columns: Integers


def lower_forward(a: Integers, w: Integers, stride: int, padding: int) -> MatrixProduct:
    """Operands whose product is ``y`` as ``[(n,p,q), k]``."""
    windows = _windows(_pad(a, padding, padding), w.shape[2:], stride)
    return MatrixProduct(Pass.FORWARD, _pixels_by_taps(windows), w.reshape(w.shape[0], -1))


def lower_error(
    e: Integers, w: Integers, stride: int, padding: int, input_size: tuple[int, int]
) -> MatrixProduct:
    """Operands whose product is ``dx`` as ``[(n,h,w), c]``."""
    kernel = w.shape[2:]
    spread = _spread(e, kernel, stride, padding, input_size)
    flipped = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    rows = _pixels_by_taps(_windows(spread, kernel, 1))
    return MatrixProduct(Pass.ERROR, rows, flipped.reshape(flipped.shape[0], -1))


def lower_gradient(
    a: Integers, e: Integers, stride: int, padding: int, kernel_size: tuple[int, int]
) -> MatrixProduct:
    """Operands whose product is ``dw`` as ``[(c,r,s), k]``."""
    windows = _windows(_pad(a, padding, padding), kernel_size, stride)
    windows = windows[:, :, : e.shape[2], : e.shape[3]]
    columns = e.transpose(1, 0, 2, 3).reshape(e.shape[1], -1)
    return MatrixProduct(Pass.GRADIENT, _pixels_by_taps(windows).T, columns)


def _pad(x: Integers, rows: int, columns: int) -> Integers:
    return np.pad(x, ((0, 0), (0, 0), (rows, rows), (columns, columns)))


def _windows(x: Integers, kernel: tuple[int, ...], stride: int) -> Integers:
    """View ``[N, C, P, Q, R, S]`` of all kernel positions."""
    return sliding_window_view(x, kernel, axis=(2, 3))[:, :, ::stride, ::stride]


def _pixels_by_taps(windows: Integers) -> Integers:
    """``[N, C, P, Q, R, S]`` → ``[(n,p,q), (c,r,s)]``."""
    n, c, p, q, r, s = windows.shape
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * p * q, c * r * s)


def _spread(
    e: Integers,
    kernel: tuple[int, ...],
    stride: int,
    padding: int,
    input_size: tuple[int, int],
) -> Integers:
    """Errors at the places of the padded input that their windows start from.

    Element (p, q) comes to (kernel - 1 + stride * p - padding, …) of an array of
    ``input_size + kernel - 1``; what falls outside never reached the input.
    """
    batch, channels = e.shape[:2]
    full = np.zeros(
        (
            batch,
            channels,
            *(
                max(size + 2 * padding, stride * (count - 1) + 1) + 2 * (extent - 1)
                for size, count, extent in zip(input_size, e.shape[2:], kernel, strict=True)
            ),
        ),
        e.dtype,
    )
    height, width = (stride * (count - 1) + 1 for count in e.shape[2:])
    top, left = kernel[0] - 1, kernel[1] - 1
    full[:, :, top : top + height : stride, left : left + width : stride] = e
    rows = slice(padding, padding + input_size[0] + kernel[0] - 1)
    columns = slice(padding, padding + input_size[1] + kernel[1] - 1)
    return full[:, :, rows, columns]
