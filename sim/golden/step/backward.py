"""The way back around a convolution, in integers: join, batch norm, stochastic rounding.

E: the error at an activation or a normalized tensor, 16 bits, worth 2^k a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import numerics as words
from fractrain.sim.golden.step.chunks import sizes, spread, sum_chunks
from fractrain.sim.golden.step.forward import Normalizer
from fractrain.sim.golden.step.rounding import (
    Integers,
    clip_symmetric,
    round_divide,
    round_shift,
    saturate,
)
from fractrain.sim.golden.step.scales import Multiplier, Reals, signed_levels, to_integers

FARTHEST = 20
"""Shifts to the left are at most so far: what needs more saturates."""


def preshift(bound: int) -> int:
    """k₀ ≥ 0, so that sums of magnitude ``bound`` fit 25 bits, sign included, after
    round(sums · 2^−k₀)."""
    shift = 0
    while int(round_shift(bound, shift)) >= 1 << (words.PRESHIFTED_BITS - 1):
        shift += 1
    return shift


def scale_sums(sums: Integers, before: int, by: Multiplier) -> Integers:
    """round(round(sums · 2^−before) · mantissa · 2^−shift): the sums of an error in steps of E;
    25 by 17 bits."""
    product = round_shift(sums, before) * by.mantissa
    return round_shift(product, max(by.shift, -FARTHEST))


def move(e: Integers, shift: int) -> Integers:
    """round(e · 2^−shift): an error E in the steps of another one."""
    return round_shift(e, max(shift, -FARTHEST - words.NARROW_BITS))


def join(parts: list[Integers]) -> Integers:
    """E = sat16(Σ parts)."""
    return saturate(sum(parts[1:], parts[0]), words.NARROW_BITS)


@dataclass(frozen=True)
class ErrorMoments:
    """Of each chunk and channel, [chunks, C]: T₁ = ΣE = ``total``, T₂ = ΣE·x̂ = ``product``."""

    pixels: Integers
    total: Integers
    product: Integers


def error_moments(e: Integers, x: Integers, chunk: int) -> ErrorMoments:
    """Of the error ``e`` at the normalized ``x``, [N,C,H,W]; |T₁| ≤ n·2^15, |T₂| < n·2^25."""
    pixels = sizes(len(e), chunk)[:, None] * (e.shape[2] * e.shape[3])
    return ErrorMoments(pixels, sum_chunks(e, chunk), sum_chunks(e * x, chunk))


def fraction(error_bits: int) -> int:
    """F: bits of the wide error's fraction."""
    return words.ERROR_WORD - error_bits


@dataclass(frozen=True)
class Gain:
    """γ·C of each channel as ``factor[C]`` · 2^−``shift``, 18 bits signed."""

    factor: Integers
    shift: int


def gain(gamma: Reals, error_step: float, y_step: float, e_scale: float, bits: int) -> Gain:
    """C = 2^(F−26) · error_step / (y_step · e_scale): A = round(γ·C · M).

    ``error_step``: the real value of a step of E; ``y_step`` of y; ``e_scale`` of the quantized
    error of ``bits`` bits.
    """
    power = fraction(bits) - words.MEAN_FRACTION - words.RECIPROCAL_FRACTION
    real = np.ravel(gamma) * (error_step / (y_step * e_scale) * 2.0**power)
    greatest = float(np.max(np.abs(real), initial=0.0))
    _, e = np.frexp(greatest)
    shift = min(max(words.FACTOR_BITS - 1 - int(e), -FARTHEST), 62 - words.FACTOR_BITS)
    return Gain(to_integers(real * 2.0**shift, words.FACTOR_BITS), shift)


@dataclass(frozen=True)
class Slopes:
    """Of each chunk and channel, [chunks, C]: ``mean`` T₁' (21 bits), ``a`` (18), ``b`` (25)."""

    mean: Integers
    a: Integers
    b: Integers


def slopes(found: ErrorMoments, by: Normalizer, gains: Gain, normalized_bits: int) -> Slopes:
    """T₁' = round(16·T₁/n);  A = sat18(round(γC·M));  B = −sat25(round(A·T₂' · 2^−(2b−6))) with
    T₂' = round(16·T₂/n).

    |A·T₂'| < 2^47 for x̂ of 11 bits.
    """
    a = saturate(round_shift(gains.factor * by.reciprocal, gains.shift), words.FACTOR_BITS)
    product = round_divide(found.product << words.MEAN_FRACTION, found.pixels)
    shift = 2 * (normalized_bits - words.DEVIATION_FRACTION)
    return Slopes(
        round_divide(found.total << words.MEAN_FRACTION, found.pixels),
        a,
        -clip_symmetric(round_shift(a * product, shift), words.SLOPE_BITS),
    )


def apply(e: Integers, x: Integers, by: Slopes, chunk: int) -> Integers:
    """W = (16·E − T₁')·A + B·x̂, in 2^−F of a step of the quantized error.

        dx = γ/σ · (E − ΣE/n − x̂·Σ(E·x̂)/n)

    21 by 18 and 25 by 11 bits: W has 40.
    """
    images = len(e)
    mean, a, b = (spread(each, chunk, images) for each in (by.mean, by.a, by.b))
    wide: Integers = ((e << words.MEAN_FRACTION) - mean) * a + b * x
    return wide


def round_errors(wide: Integers, bits: int, random: NDArray[np.uint8]) -> Integers:
    """e = clip(⌊(W + u·2^(F−8)) · 2^−F⌋, ±(2^(b−1) − 1)), u random, 0 .. 255."""
    f = fraction(bits)
    noise = random.astype(np.int64) << (f - words.RANDOM_BITS)
    rounded = (wide + noise) >> f
    if bits == 1:
        return np.clip(rounded, -1, 0).astype(np.int64)
    levels = signed_levels(bits)
    return np.clip(rounded, -levels, levels).astype(np.int64)
