"""Quantization: a real tensor as integers times one scale.

    x ≈ scale · q       scale = maximum / levels,   q = round(x / scale), clipped to its range

The range is symmetric and per tensor. ``levels`` is the greatest magnitude of q:

    activations   unsigned, q in 0 .. 2^b − 1,                           levels = 2^b − 1
    weights       signed,   q in −(2^(b−1) − 1) .. 2^(b−1) − 1,          levels = 2^(b−1) − 1
    errors        as weights

−2^(b−1) is left out so that the range is symmetric. One signed bit would leave nothing but 0; it
means {−1, 0} instead, levels = 1: it keeps what is negative.

Activations and weights round to nearest, ties to even. Errors round stochastically, up with the
probability of the fraction, so that the expected value of q is x / scale: rounding errors of
gradients must not add up over the steps.

Everything here is a fixed sequence of float32 operations of the namespace ``xp``
(`Accelerator.xp`), so the same tensor gives the same integers whatever backend multiplies them.
The backward pass treats quantization as the identity (straight-through).

A tensor with a value that is not finite gives integers that fit all the same, but its scale is
not finite, and so is what is computed from it, down to the loss: there the training loop looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from host.random_streams import Stream, generator

Array = Any
"""An array of the namespace in use; NumPy's in this slice."""

SMALLEST_MAXIMUM = 1e-30
"""Floor of a tensor's range: an all-zero tensor gives zeros, not a division by zero."""


@dataclass(frozen=True)
class Quantized:
    """Integers of ``bits`` bits (int32) and the real value of one step."""

    integers: Array
    scale: Array
    bits: int


class StochasticRounding:
    """The random numbers that errors are rounded with in one training step.

    They depend on ``seed`` and ``step`` only, and on the order in which tensors ask for them.
    """

    def __init__(self, seed: int, step: int) -> None:
        self._generator = generator(seed, Stream.ROUNDING, step)

    def fractions(self, shape: tuple[int, ...]) -> Array:
        """Uniform float32 in [0, 1)."""
        return self._generator.random(shape, np.float32)


def unsigned_levels(bits: int) -> int:
    """Greatest integer of a ``bits``-bit activation."""
    return (1 << bits) - 1


def signed_range(bits: int) -> tuple[int, int]:
    """Least and greatest integer of a ``bits``-bit weight or error, as the module defines them."""
    if bits == 1:
        return -1, 0
    levels = (1 << (bits - 1)) - 1
    return -levels, levels


def quantize_activations(xp: Any, x: Array, bits: int, maximum: Array) -> Quantized:
    """``x`` ≥ 0 as unsigned integers; what exceeds ``maximum`` saturates."""
    levels = unsigned_levels(bits)
    scaled, scale = _scaled(xp, x, maximum, levels)
    return Quantized(_integers(xp, xp.round(scaled, out=scaled), 0, levels), scale, bits)


def quantize_weights(xp: Any, x: Array, bits: int) -> Quantized:
    """``x`` as signed integers over the range of its greatest magnitude."""
    low, high = signed_range(bits)
    scaled, scale = _scaled(xp, x, xp.max(xp.abs(x)), -low)
    return Quantized(_integers(xp, xp.round(scaled, out=scaled), low, high), scale, bits)


def quantize_errors(xp: Any, x: Array, bits: int, rounding: StochasticRounding) -> Quantized:
    """``x`` as signed integers over the range of its greatest magnitude, stochastically."""
    low, high = signed_range(bits)
    scaled, scale = _scaled(xp, x, xp.max(xp.abs(x)), -low)
    rounded = xp.floor(scaled)
    scaled -= rounded  # exact: what is left is the fraction
    rounded += scaled > rounding.fractions(tuple(x.shape))
    return Quantized(_integers(xp, rounded, low, high), scale, bits)


def dequantize(xp: Any, result: Array, x: Quantized, y: Quantized) -> Array:
    """The real value of an accelerator's ``result`` for operands ``x`` and ``y``."""
    real = xp.asarray(result, dtype=xp.float32)
    real *= x.scale * y.scale
    return real


def _scaled(xp: Any, x: Array, maximum: Array, levels: int) -> tuple[Array, Array]:
    """``x`` in units of the scale, and the scale."""
    maximum = xp.clip(maximum, SMALLEST_MAXIMUM, None)
    return x * (levels / maximum), maximum / levels


def _integers(xp: Any, rounded: Array, low: int, high: int) -> Array:
    """``rounded`` as int32, clipped to its range.

    Clipped last: a NaN becomes some integer of the range, and the scale, NaN then too, tells.
    """
    integers = xp.asarray(rounded, dtype=xp.int32)
    return xp.clip(integers, low, high, out=integers)
