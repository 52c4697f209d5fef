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

Narrow weights, of 2 to 4 bits, can use their levels in other ways (`WeightLevels`): with few levels
it matters if one serves the greatest magnitude alone, or is left out.

    max    as above
    clip   maximum = c·σ instead, σ the root mean square of x and c by width (`CLIPPING`): what
           exceeds it saturates
    odd    x ≈ scale · (2q + 1), q in −2^(b−1) .. 2^(b−1) − 1: all 2^b levels, symmetric, none
           of them 0;   levels = 2^b − 1, q = floor(x / (2·scale))

Everything here is a fixed sequence of float32 operations of the namespace ``xp``
(`Elementwise.xp`), so the same tensor gives the same integers on every backend. The backward pass
treats quantization as the identity (straight-through).

A tensor with a non-finite value gives integers that fit, but its scale is not finite, nor anything
computed from it, down to the loss, where the training loop checks.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np

from fractrain.host.numerics.random_streams import Stream, generator

Array = Any
"""An array of the namespace in use."""

SMALLEST_MAXIMUM = 1e-30
"""Floor of a tensor's range: an all-zero tensor gives zeros, not a division by zero."""


CLIPPING = {2: 1.5, 3: 2.0, 4: 2.7}
"""Bits of a weight → the range of `WeightLevels.CLIP` in units of σ; wider weights are not
clipped. About what is optimal for a normal distribution (Sung et al., 2015, and our short runs)."""

WIDEST_NARROW_WEIGHT = max(CLIPPING)


class WeightLevels(enum.Enum):
    """The levels of narrow weights (see the module); wider ones are always MAX."""

    MAX = "max"
    CLIP = "clip"
    ODD = "odd"

    def at(self, bits: int) -> WeightLevels:
        """The levels for weights of ``bits`` bits."""
        return self if 2 <= bits <= WIDEST_NARROW_WEIGHT else WeightLevels.MAX


@dataclass(frozen=True)
class Quantized:
    """Integers of ``bits`` bits (of the namespace's integer type) and the real value of one step.

    ``odd``: the value is scale · (2·integer + 1) instead of scale · integer. ``stored``: the wider
    the integers in memory of which these are the top planes, if any.
    """

    integers: Array
    scale: Array
    bits: int
    odd: bool = False
    stored: Quantized | None = None


class StochasticRounding:
    """The random numbers for rounding errors in one training step.

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


def quantize_weights(
    xp: Any, x: Array, bits: int, levels: WeightLevels = WeightLevels.MAX
) -> Quantized:
    """``x`` as signed integers over the range of its greatest magnitude, or as ``levels`` say."""
    levels = levels.at(bits)
    if levels is WeightLevels.ODD:
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        scaled, scale = _scaled(xp, x, xp.max(xp.abs(x)), unsigned_levels(bits))
        return Quantized(_integers(xp, xp.floor(scaled / 2), low, high), scale, bits, odd=True)
    low, high = signed_range(bits)
    if levels is WeightLevels.CLIP:
        maximum = CLIPPING[bits] * xp.sqrt(xp.mean(x * x))
    else:
        maximum = xp.max(xp.abs(x))
    scaled, scale = _scaled(xp, x, maximum, -low)
    return Quantized(_integers(xp, xp.round(scaled, out=scaled), low, high), scale, bits)


def top_planes(q: Quantized, bits: int) -> Quantized:
    """The ``bits`` most significant planes of ``q``, which has at least as many.

    A reader gets them that fetches fewer planes than are stored: q >> (stored − bits), rounded
    down, so zeros stay zero; a step is worth 2^(stored − bits) of the stored ones.
    """
    dropped = q.bits - bits
    if not dropped:
        return q
    return Quantized(q.integers >> dropped, q.scale * np.float32(1 << dropped), bits)


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
