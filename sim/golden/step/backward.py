"""The way back around a convolution, in integers: join, batch norm, stochastic rounding.

E: the error at an activation or a normalized tensor, 16 bits, worth 2^k a step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.normalized import Format
from fractrain.sim.golden.step.chunks import sizes, spread, sum_chunks
from fractrain.sim.golden.step.forward import Normalizer
from fractrain.sim.golden.step.rounding import (
    LARGEST_SHIFT,
    Integers,
    clip_symmetric,
    round_divide,
    round_randomly,
    round_shift,
    saturate,
    scale_to,
)
from fractrain.sim.golden.step.scales import (
    Multiplier,
    Number,
    Reals,
    clip_levels,
    power,
    to_integers,
)

# -- E ---------------------------------------------------------------------------------------


def preshift(bound: int) -> int:
    """k₀ ≥ 0, so that sums of magnitude ``bound`` fit 25 bits, sign included, after
    round(sums · 2^−k₀)."""
    shift = 0
    while int(round_shift(bound, shift)) >= 1 << (words.PRESHIFTED_BITS - 1):
        shift += 1
    return shift


def scale_sums(sums: Integers, before: int, by: Multiplier) -> Integers:
    """sat24(round(round(sums · 2^−before) · mantissa · 2^−shift)): the sums of an error in steps
    of E; 25 by 17 bits, unsigned."""
    return scale_to(round_shift(sums, before) * by.mantissa, by.shift, words.JOIN_BITS)


def move(e: Integers, shift: int) -> Integers:
    """sat24(round(e · 2^−shift)): an error E in the steps of another one."""
    return scale_to(e, shift, words.JOIN_BITS)


def total(parts: list[Integers]) -> Integers:
    """Σ parts of 24 bits, 26 bits; `ParameterError` for more than 4."""
    if len(parts) > words.MAX_JOINED:
        raise ParameterError("errors at one tensor", len(parts), f"at most {words.MAX_JOINED}")
    return sum(parts[1:], parts[0])


def join(parts: list[Integers]) -> Integers:
    """E = sat16(Σ parts)."""
    return saturate(total(parts), words.NARROW_BITS)


@dataclass(frozen=True)
class ErrorMoments:
    """Of each chunk and channel, [chunks, C]: T₁ = ΣE = ``total``, T₂ = ΣE·x̂ = ``product``."""

    pixels: Integers
    total: Integers
    product: Integers


def error_moments(e: Integers, x: Integers, chunk: int) -> ErrorMoments:
    """Of the error ``e`` at the normalized ``x``, [N,C,H,W].

    |T₁| ≤ n·2^15, |T₂| < n·2^25 for x̂ of up to 11 bits.
    """
    pixels = sizes(len(e), chunk)[:, None] * (e.shape[2] * e.shape[3])
    return ErrorMoments(pixels, sum_chunks(e, chunk), sum_chunks(e * x, chunk))


# -- batch norm ------------------------------------------------------------------------------


def fraction(error_bits: Number) -> Number:
    """F = 32 − bits: bits of the wide error's fraction."""
    return words.ERROR_WORD - error_bits


@dataclass(frozen=True)
class Gain:
    """γ·C of each channel as ``factor[C]`` · 2^−``shift``, 18 bits signed."""

    factor: Integers
    shift: int


def gain(gamma: Reals, error_step: float, y_step: float, e_scale: float, bits: int) -> Gain:
    """C = 2^(F−26) · error_step / (y_step · e_scale): A = round(γ·C · M).

    ``error_step``: the real value of a step of E; ``y_step`` of y; ``e_scale`` of the quantized
    error of ``bits`` bits. The shift is such that the greatest factor has 18 bits; it ends at 62,
    where every A is 0.
    """
    real = np.ravel(gamma) * gain_factor(error_step, y_step, e_scale, bits)
    shift = gain_shift(float(np.max(np.abs(real), initial=0.0)))
    return Gain(gain_integers(real, shift), shift)


def gain_integers(real: Reals, shift: Number) -> Integers:
    """round(γ·C · 2^shift), 18 bits, of channels that have one ``shift`` or one each."""
    return to_integers(np.ldexp(real, np.asarray(shift, np.int32)), words.FACTOR_BITS)


def gain_factor(error_step: Number, y_step: Number, e_scale: Number, bits: Number) -> Number:
    """C of `gain`."""
    shift = fraction(bits) - words.MEAN_FRACTION - words.RECIPROCAL_FRACTION
    return error_step / (y_step * e_scale) * power(shift)


def gain_shift(greatest: Number) -> Number:
    """The shift of `gain`, by the ``greatest`` |γ·C|."""
    if isinstance(greatest, np.ndarray):
        return np.minimum(words.FACTOR_BITS - 1 - np.frexp(greatest)[1], LARGEST_SHIFT)
    return min(words.FACTOR_BITS - 1 - math.frexp(greatest)[1], LARGEST_SHIFT)


@dataclass(frozen=True)
class Slopes:
    """Of each chunk and channel, [chunks, C]: ``mean`` T₁' (20 bits), ``a`` (18), ``b`` B̄ (25); and
    ``lift``, by which x̂ is shifted to σ/2^7."""

    mean: Integers
    a: Integers
    b: Integers
    lift: int


SLOPE_SHIFT = words.CROSS_FRACTION + words.LIFTED_FRACTION - words.MEAN_FRACTION
OFFSET_SHIFT = words.CROSS_FRACTION + words.OFFSET_FRACTION - words.MEAN_FRACTION


def slopes(found: ErrorMoments, by: Normalizer, gains: Gain, form: Format) -> Slopes:
    """The factors of `apply`, for x̂ in σ/2^g, as its ``form`` says:

        T₁' = round(16·T₁ / n)                         20 bits
        T₂' = round(2^(6−g)·T₂ / n)                    25 bits, in σ/2^6
        A   = sat18(round(γC·M))
        B̄   = −sat25(round(A·T₂' · 2^−9)), symmetric   18 by 25 bits

    With running statistics of λ·256 = l in ``by``, both means count (256 − l)/256, rounded, before
    B̄ is made, and then T₁' ← sat20(T₁' − round(δ·T₂' · 2^−11)): dx contains

        (y − μ_chunk)/σ = x̂ − δ
    """
    shift = words.CROSS_FRACTION - form.fraction
    mean = round_divide(found.total << words.MEAN_FRACTION, found.pixels)
    cross = round_divide(found.product << max(shift, 0), found.pixels << max(-shift, 0))
    if by.offset is not None:
        rest = (1 << words.MIX_BITS) - by.share
        mean, cross = (round_shift(rest * each, words.MIX_BITS) for each in (mean, cross))
        mean = saturate(mean - round_shift(by.offset * cross, OFFSET_SHIFT), words.MEAN_BITS)
    a = scale_to(gains.factor * by.reciprocal, gains.shift, words.FACTOR_BITS)
    b = -clip_symmetric(round_shift(a * cross, SLOPE_SHIFT), words.SLOPE_BITS)
    return Slopes(mean, a, b, words.LIFTED_FRACTION - form.fraction)


def apply(e: Integers, x: Integers, by: Slopes, chunk: int) -> Integers:
    """W = (16·E − T₁')·A + B̄·x̂·2^(7−g), in 2^−F of a step of the quantized error.

        dx = γ/σ · (E − ΣE/n − x̂·Σ(E·x̂)/n)

    21 by 18 and 25 by 11 bits: W has 39. x̂ is shifted to σ/2^7, so that B̄ saturates no sooner when
    x̂ has few bits: not before B̄·x̂ is, at 1σ, the range of the quantized error.
    """
    images = len(e)
    mean, a, b = (spread(each, chunk, images) for each in (by.mean, by.a, by.b))
    wide: Integers = ((e << words.MEAN_FRACTION) - mean) * a + b * (x << by.lift)
    return wide


def round_errors(wide: Integers, bits: int, random: NDArray[np.uint8]) -> Integers:
    """e = clip(⌊W·2^−F + (2u + 1)/512⌋, ±(2^(b−1) − 1)), u random, 0 .. 255; one bit is −1 or 0."""
    return clip_levels(round_randomly(wide, fraction(bits), random), bits)
