"""The work around the convolutions, on the accelerator's arrays.

Elementwise work and statistics of whole tensors: quantization, batch norm, the rectifier. This
class is the definition, for any namespace with NumPy's names; a backend with faster ways overrides
methods (`Accelerator.elementwise`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.numerics import affine, quantization
from fractrain.host.numerics.quantization import Array, Quantized, StochasticRounding, WeightLevels


@dataclass(frozen=True)
class Normalized:
    """Results of batch norm in training: ``y``; ``mean`` and ``variance`` (of the batch, without
    Bessel's correction) of each channel, [1,C,1,1]; and what the way back needs."""

    y: Array
    mean: Array
    variance: Array
    saved: Any


class Elementwise:
    """The work on arrays of the namespace ``xp``, here NumPy.

    ``integer_type``: the type of quantized integers. In the methods ``x`` is float32 [N,C,H,W] if
    nothing else is said, and quantities of a channel are [1,C,1,1].
    """

    def __init__(self, xp: Any = np) -> None:
        self.xp = xp

    # -- between the host and the accelerator -----------------------------------------------

    def from_host(self, array: NDArray) -> Array:
        """A NumPy array as one of ours: images (uint8), parameters and small tensors (float32)."""
        return array

    def to_host(self, array: Array) -> NDArray:
        """One of our arrays as a NumPy array."""
        return np.asarray(array)

    def copy(self, array: Array) -> Array:
        """One of our arrays, in memory of its own."""
        return array.copy()

    # -- quantization (`host.numerics.quantization` has the formulas) -----------------------

    def rounding(self, seed: int, step: int) -> Any:
        """The random numbers of a step, for `quantize_errors`."""
        return StochasticRounding(seed, step)

    def quantize_activations(self, x: Array, bits: int, maximum: Array) -> Quantized:
        """``x`` ≥ 0 over 0 .. ``maximum``; what exceeds it saturates."""
        return quantization.quantize_activations(self.xp, x, bits, maximum)

    def quantize_weights(self, x: Array, bits: int, levels: WeightLevels) -> Quantized:
        """Weights ``x[K,C,R,S]``."""
        return quantization.quantize_weights(self.xp, x, bits, levels)

    def quantize_errors(self, x: Array, bits: int, rounding: Any) -> Quantized:
        """Errors ``x``, rounded stochastically by the numbers of ``rounding``."""
        return quantization.quantize_errors(self.xp, x, bits, rounding)

    def top_planes(self, q: Quantized, bits: int) -> Quantized:
        """The ``bits`` most significant planes of ``q``."""
        return quantization.top_planes(q, bits)

    def dequantize(self, result: Array, x: Quantized, y: Quantized) -> Array:
        """The real value of an accelerator's ``result`` for operands ``x`` and ``y``."""
        return quantization.dequantize(self.xp, result, x, y)

    def quantize_affine(self, x: Array, bits: int, extent: Array, rounding: Any = None) -> Array:
        """The values that the published quantizer (`host.numerics.affine`) leaves of ``x``, over
        ``extent`` = [minimum, maximum]; stochastically by the numbers of ``rounding``, if given."""
        fractions = None if rounding is None else rounding.fractions(tuple(x.shape))
        return affine.quantize(self.xp, x, bits, extent, fractions)

    # -- batch norm in training (`host.graph.operations` has the formulas) ---------------

    def normalize(self, x: Array, gamma: Array, beta: Array, epsilon: float) -> Normalized:
        """y = γ·x̂ + β by the statistics of ``x``; reuses its memory."""
        xp = self.xp
        mean = xp.mean(x, axis=(0, 2, 3), keepdims=True)
        x -= mean
        variance = xp.mean(x * x, axis=(0, 2, 3), keepdims=True)
        inverse_deviation = 1 / xp.sqrt(variance + epsilon)
        x *= inverse_deviation
        y = x * gamma
        y += beta
        return Normalized(y, mean, variance, (x, inverse_deviation))

    def normalize_backward(self, e: Array, saved: Any, gamma: Array) -> tuple[Array, Array, Array]:
        """(dx, dγ, dβ) of the error ``e`` at y, which is left as it is; ``saved`` is used up."""
        xp, (normalized, inverse_deviation) = self.xp, saved
        dbeta = xp.sum(e, axis=(0, 2, 3), keepdims=True)
        dgamma = xp.sum(e * normalized, axis=(0, 2, 3), keepdims=True)
        count = elements(e)
        dx = normalized
        dx *= -dgamma / count
        dx += e
        dx -= dbeta / count
        dx *= gamma * inverse_deviation
        return dx, dgamma, dbeta

    # -- rectifier --------------------------------------------------------------------------

    def rectify(self, x: Array) -> tuple[Array, Any]:
        """max(x, 0) in the memory of ``x``, and what its way back needs."""
        y = self.xp.clip(x, 0, None, out=x)
        return y, y > 0

    def rectify_backward(self, e: Array, saved: Any) -> Array:
        """The error at x, a new array."""
        return e * saved

    # -- residual addition ------------------------------------------------------------------

    def add(self, x: Array | None, y: Array, *, keep: bool) -> Array:
        """x + y, in the memory of ``x`` unless it is to ``keep`` its values; without x, a copy
        of ``y``."""
        if x is None:
            return y + 0
        if keep:
            return x + y
        x += y
        return x

    # -- sums for the gates -----------------------------------------------------------------

    def inner_products(self, x: Array, y: Array) -> Array:
        """Σ x·y over channels and pixels: one number for each image, [N]."""
        return self.xp.einsum("nchw,nchw->n", x, y)


def elements(x: Array) -> int:
    """Elements per channel of ``x[N,C,H,W]``."""
    return x.shape[0] * math.prod(x.shape[2:])
