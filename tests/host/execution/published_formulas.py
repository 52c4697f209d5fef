"""The published numerics once more, in float64, as their formulas say: for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from fractrain.hw.contract.precision import Precision

Array = np.ndarray
Back = Callable[[Array], Array]
"""From the error at an output to the error at the input; notes gradients on its way."""

FLOAT = Precision(0, 0, 0)
"""No quantization."""


class NoNoise:
    """Random numbers of a step that round to the nearest."""

    def fractions(self, shape: tuple[int, ...]) -> Array:
        return np.full(shape, 0.5, np.float32)


def grid(x: Array, bits: int, axes: tuple[int, ...] | None = None) -> Array:
    """``x`` on 2^bits equidistant values from its minimum to its maximum."""
    if not bits:
        return x
    low, high = x.min(axis=axes, keepdims=True), x.max(axis=axes, keepdims=True)
    step = (high - low) / (2**bits - 1)
    return low + step * np.round((x - low) / step)


def convolve(a: Array, w: Array, stride: int) -> Array:
    """Σ a·w over channels and taps, zeros around ``a``."""
    pad = w.shape[2] // 2
    padded = np.pad(a, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    taps = sliding_window_view(padded, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nchwrs,kcrs->nkhw", taps, w)


def convolve_back(a: Array, w: Array, stride: int, e: Array) -> tuple[Array, Array]:
    """Derivatives of Σ e·convolve(a, w) by ``a`` and by ``w``."""
    pad, (rows, columns) = w.shape[2] // 2, e.shape[2:]
    padded = np.pad(a, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    da, dw = np.zeros_like(padded), np.zeros_like(w)
    for r in range(w.shape[2]):
        for s in range(w.shape[3]):
            place = np.s_[:, :, r : r + stride * rows : stride, s : s + stride * columns : stride]
            dw[:, :, r, s] = np.einsum("nchw,nkhw->kc", padded[place], e)
            da[place] += np.einsum("nkhw,kc->nchw", e, w[:, :, r, s])
    inner = np.s_[:, :, pad : pad + a.shape[2], pad : pad + a.shape[3]]
    return da[inner], dw


def normalize(x: Array, gamma: Array, beta: Array) -> tuple[Array, Callable[[Array], Any]]:
    """Batch norm, and (dx, dγ, dβ) of an error at its output."""
    axes = (0, 2, 3)
    deviation = np.sqrt(x.var(axis=axes, keepdims=True) + 1e-5)
    unit = (x - x.mean(axis=axes, keepdims=True)) / deviation

    def back(e: Array) -> Any:
        dgamma, dbeta = (e * unit).sum(axes, keepdims=True), e.sum(axes, keepdims=True)
        count = x.size // x.shape[1]
        return gamma / deviation * (e - (dbeta + unit * dgamma) / count), dgamma, dbeta

    return gamma * unit + beta, back


@dataclass
class Formulas:
    """Layers of a network by the names of its ``weights``; ``gradients`` add up."""

    weights: dict[str, Array]
    gradients: dict[str, Array]

    @classmethod
    def of(cls, layer: Any) -> Formulas:
        """With the parameters of ``layer``."""
        return cls({each.name: each.value.astype(float) for each in layer.parameters()}, {})

    def note(self, name: str, gradient: Array) -> None:
        self.gradients[name] = self.gradients.get(name, 0) + gradient

    def layer(self, name: str, x: Array, stride: int, precision: Precision) -> tuple[Array, Back]:
        """A convolution with all three operands quantized, and its batch norm."""
        w = grid(self.weights[f"{name}.weight"], precision.weight, (1, 2, 3))
        a = grid(x, precision.activation)
        norm = (self.weights[f"{name}.norm.{each}"] for each in ("gamma", "beta"))
        y, norm_back = normalize(convolve(a, w, stride), *norm)

        def back(e: Array) -> Array:
            e, dgamma, dbeta = norm_back(e)
            da, dw = convolve_back(a, w, stride, grid(e, precision.error))
            for each, gradient in (("weight", dw), ("norm.gamma", dgamma), ("norm.beta", dbeta)):
                self.note(f"{name}.{each}", gradient)
            return da

        return y, back

    def block(self, name: str, x: Array, stride: int, precision: Precision) -> tuple[Array, Back]:
        """A block with everything in it at ``precision``, its shortcut, too."""
        first, first_back = self.layer(f"{name}.first", x, stride, precision)
        inner = np.maximum(first, 0)
        second, second_back = self.layer(f"{name}.second", inner, 1, precision)
        around, around_back = x, lambda e: e
        if f"{name}.shortcut.weight" in self.weights:
            around, around_back = self.layer(f"{name}.shortcut", x, stride, precision)
        total = second + around

        def back(e: Array) -> Array:
            e = e * (total > 0)
            return first_back(second_back(e) * (inner > 0)) + around_back(e)

        return np.maximum(total, 0), back
