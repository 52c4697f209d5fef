"""Convolutions of any kernel as matrix products ``rows[R, D] @ columns[Q, D].T``.

| pass | rows | columns | depth |
|---|---|---|---|
| forward | output pixels (n, p, q) | output channels k | (c, r, s) |
| error | input pixels (n, h, w) | input channels c | (k, r, s) |
| gradient | (c, r, s) | output channels k | output pixels (n, p, q) |

The error pass spreads the errors out by the stride and flips the kernel: it is a forward
convolution again (stride 1, padding ``kernel - 1 - padding``).
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from fractrain.host.graph.geometry import Geometry, Pair

Integers = NDArray[np.integer]


def unfold(a: Integers, g: Geometry) -> Integers:
    """``[(n,p,q), (c,r,s)]`` of activations."""
    d = g.padding
    windows = _windows(np.pad(a, ((0, 0), (0, 0), (d, d), (d, d))), g.kernel, g.stride)
    return _pixels_by_taps(windows)


def unfold_errors(e: Integers, g: Geometry) -> Integers:
    """``[(n,h,w), (k,r,s)]`` of errors."""
    return _pixels_by_taps(_windows(_spread(e, g), g.kernel, 1))


def pixels_by_channels(x: Integers) -> Integers:
    """``[N, C, H, W]`` → ``[(n,h,w), c]``."""
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def flip(w: Integers) -> Integers:
    """``[c, (k,r,s)]`` of weights, for the error."""
    flipped = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    return flipped.reshape(flipped.shape[0], -1)


def _windows(x: Integers, kernel: Pair, stride: int) -> Integers:
    """View ``[N, C, P, Q, R, S]`` of all kernel positions."""
    return sliding_window_view(x, kernel, axis=(2, 3))[:, :, ::stride, ::stride]


def _pixels_by_taps(windows: Integers) -> Integers:
    """``[N, C, P, Q, R, S]`` → ``[(n,p,q), (c,r,s)]``."""
    n, c, p, q, r, s = windows.shape
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * p * q, c * r * s)


def _spread(e: Integers, g: Geometry) -> Integers:
    """Errors at the places of the padded input that their windows start from.

    Element (p, q) comes to (kernel - 1 + stride * p - padding, …) of an array of
    ``size + kernel - 1``; what falls outside never reached the input.
    """
    sizes = [
        max(size + 2 * g.padding, g.stride * (count - 1) + 1) + 2 * (taps - 1)
        for size, count, taps in zip(g.size, g.output, g.kernel, strict=True)
    ]
    full = np.zeros((*e.shape[:2], *sizes), e.dtype)
    rows, columns = (
        slice(taps - 1, taps + g.stride * (count - 1), g.stride)
        for count, taps in zip(g.output, g.kernel, strict=True)
    )
    full[:, :, rows, columns] = e
    rows, columns = (
        slice(g.padding, g.padding + size + taps - 1)
        for size, taps in zip(g.size, g.kernel, strict=True)
    )
    return full[:, :, rows, columns]
