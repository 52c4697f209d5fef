"""The forward half around a convolution, in integers: narrow, normalize, form, quantize.

n: pixels of a channel in a chunk; sums over them. round(x·2^−k) = ⌊x·2^−k + ½⌋. docs/numerics.md
has the whole step, and what each choice costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import numerics as words
from fractrain.sim.golden.step.chunks import sizes, spread, sum_chunks
from fractrain.sim.golden.step.rounding import (
    Integers,
    clip_symmetric,
    round_divide,
    round_shift,
    saturate,
)
from fractrain.sim.golden.step.scales import Reals, activation_levels, clamp, to_integers


def narrow(sums: Integers, shift: int) -> Integers:
    """y = sat16(round(sums · 2^−shift)); ``shift`` = `exponent` of last step's greatest |sums|,
    negative for small sums."""
    if shift < 0:  # beyond 2^15 it saturates anyway: keeps the shift within int64
        sums = saturate(sums, words.NARROW_BITS + 1)
        shift = max(shift, -words.NARROW_BITS)
    return saturate(round_shift(sums, shift), words.NARROW_BITS)


@dataclass(frozen=True)
class Moments:
    """Of each chunk and channel, [chunks, C]: ``pixels`` n [chunks, 1], ``total`` Σy, and
    ``dispersion`` D = n·Σy² − (Σy)², unsigned 64 bits."""

    pixels: Integers
    total: Integers
    dispersion: NDArray[np.uint64]


def moments(y: Integers, chunk: int) -> Moments:
    """Of ``y[N,C,H,W]``.

    |Σy| ≤ n·2^15 and Σy² ≤ n·2^30. n·Σy² can reach 2^64 for n = 2^17, and is computed modulo 2^64:
    D < n²·2^30 ≤ 2^64 is exact.
    """
    pixels = sizes(len(y), chunk)[:, None] * (y.shape[2] * y.shape[3])
    total, squares = sum_chunks(y, chunk), sum_chunks(y * y, chunk)
    unsigned = total.astype(np.uint64)
    dispersion = pixels.astype(np.uint64) * squares.astype(np.uint64) - unsigned * unsigned
    return Moments(pixels, total, dispersion)


@dataclass(frozen=True)
class Normalizer:
    """Of each chunk and channel, [chunks, C]: ``mean`` μ' in 1/16 of a step of y, 20 bits signed;
    ``reciprocal`` M, 17 bits unsigned."""

    mean: Integers
    reciprocal: Integers


def normalizer(found: Moments) -> Normalizer:
    """μ' = round(16·Σy / n);  M ≈ 2^22·n/√D', D' = max(D, n²·32²) (`reciprocal_root`)."""
    mean = round_divide(found.total << words.MEAN_FRACTION, found.pixels)
    floor = (found.pixels * words.LEAST_DEVIATION).astype(np.uint64) ** np.uint64(2)
    radicand = np.maximum(found.dispersion, floor)
    pixels = np.broadcast_to(found.pixels, mean.shape)
    return Normalizer(mean, reciprocal_root(radicand, pixels))


def reciprocal_root(radicand: NDArray[np.uint64], pixels: Integers) -> Integers:
    """M = 2^22·n/√D to about 2^−15 of itself and its own rounding, at most 2^17 − 1.

        v = ⌊D · 2^−2q⌋, 24 bits, q such that 2^22 ≤ v < 2^24
        t = table[v >> 15]                   17 bits      ≈ 2^28/√v
        p = t² >> 17                         17 bits      ≈ 2^39/v
        u = 3·2^39 − v·p                     41 bits      ≈ 2^40, Newton's step
        r = (t · (u >> 17)) >> 21            19 bits      ≈ 2^30/√v
        M = min(round(n·r · 2^−(8 + q)), 2^17 − 1)

    D ≥ n²·32² ≥ 2^10, so q ≥ −6: the last shift is never negative.
    """
    flat = [
        _reciprocal_root(int(d), int(n))
        for d, n in zip(radicand.ravel(), pixels.ravel(), strict=True)
    ]
    return np.array(flat, np.int64).reshape(radicand.shape)


def _reciprocal_root(radicand: int, pixels: int) -> int:
    q = (radicand.bit_length() + 1) // 2 - words.RADICAND_BITS // 2
    v = radicand >> 2 * q if q >= 0 else radicand << -2 * q
    t = reciprocal_table()[v >> (words.RADICAND_BITS - words.TABLE_INDEX_BITS)]
    p = (t * t) >> 17
    u = (3 << 39) - v * p
    r = (t * (u >> 17)) >> 21
    return min(int(round_shift(pixels * r, 8 + q)), (1 << words.RECIPROCAL_BITS) - 1)


@cache
def reciprocal_table() -> tuple[int, ...]:
    """Entry i, 128 ≤ i < 512: ⌊2^28/√((i + ½)·2^15)⌋, the middle of its interval; 0 below 128,
    where no radicand is."""
    entries = [0] * 128
    entries += [isqrt((1 << 56) // ((2 * i + 1) << 14)) for i in range(128, 512)]
    return tuple(entries)


def running_normalizer(mean: Reals, variance: Reals, step: float) -> Normalizer:
    """Of an evaluation: by the running ``mean`` and ``variance``, real, of sums worth ``step`` a
    step of y: μ' = round(16·mean/step), M = 2^22·step/√variance at most, [1, C]."""
    deviation = np.maximum(np.sqrt(np.asarray(variance, np.float64)) / step, words.LEAST_DEVIATION)
    scaled = np.asarray(mean, np.float64) / step * (1 << words.MEAN_FRACTION)
    most = (1 << words.RECIPROCAL_BITS) - 1
    reciprocal = np.minimum(np.floor((1 << words.RECIPROCAL_FRACTION) / deviation + 0.5), most)
    limit = words.NARROW_BITS + words.MEAN_FRACTION
    return Normalizer(
        to_integers(scaled, limit).reshape(1, -1), reciprocal.astype(np.int64).reshape(1, -1)
    )


def normalize(y: Integers, by: Normalizer, bits: int, chunk: int) -> Integers:
    """x̂ = clip(round((16·y − μ')·M · 2^−(29−b)), ±(2^(b−1) − 1)), in σ/2^(b−3).

    16·y − μ' has 21 bits, the product 38.
    """
    images = len(y)
    mean, reciprocal = spread(by.mean, chunk, images), spread(by.reciprocal, chunk, images)
    product = ((y << words.MEAN_FRACTION) - mean) * reciprocal
    return clip_symmetric(round_shift(product, NORMALIZE_SHIFT - bits), bits)


NORMALIZE_SHIFT = words.MEAN_FRACTION + words.RECIPROCAL_FRACTION + words.DEVIATION_FRACTION


def keep(wide: Integers, bits: int) -> Integers:
    """x̂ of ``bits`` bits for the way back, from the `WIDE_BITS` that z was made from:
    clip(round(x̂ · 2^−(12−b)))."""
    return clip_symmetric(round_shift(wide, words.WIDE_BITS - bits), bits)


# -- z ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Term:
    """G·x̂ + B of each channel, [C]: what a batch norm adds to z."""

    factor: Integers
    offset: Integers


def unit_of_z(extent: float, bits: int) -> float:
    """The real value of a step of z: extent / (levels · 2^12), where ``bits``-bit activations
    reach ``extent``."""
    return clamp(extent) / (activation_levels(bits) << words.FORM_FRACTION)


def term(gamma: Reals, beta: Reals, normalized_bits: int, unit: float) -> Term:
    """G = round(γ · 2^−(b−3) / unit), 18 bits;  B = round(β / unit), 30 bits; both saturate."""
    step = unit * 2.0 ** (normalized_bits - words.DEVIATION_FRACTION)
    return Term(
        to_integers(np.ravel(gamma) / step, words.FACTOR_BITS),
        to_integers(np.ravel(beta) / unit, words.OFFSET_BITS),
    )


def residual_shift(residual_bits: int) -> int:
    """t: a residual of more than 8 bits has a factor with so many bits more of fraction."""
    return residual_bits - words.MAX_ACTIVATION_BITS


def residual_factor(scale: float, unit: float, residual_bits: int) -> int:
    """ρ = round(2^t · scale / unit), 18 bits, for a residual worth ``scale`` a step."""
    factor = scale / unit * 2.0 ** residual_shift(residual_bits)
    return int(to_integers(np.array(factor), words.FACTOR_BITS))


def form(
    terms: list[tuple[Integers, Term]], residual: tuple[Integers, int, int] | None = None
) -> Integers:
    """z = Σ (G·x̂ + B) + round(ρ·r · 2^−t), in `unit_of_z`; ``residual`` is (r, ρ, t).

    |G·x̂| < 2^28, |B| < 2^29, ρ·r < 2^33: with two terms z has 35 bits, with r of 8 bits 32.
    """
    total: Any = 0
    for x, each in terms:
        shape = (1, -1, 1, 1)
        total = total + each.factor.reshape(shape) * x + each.offset.reshape(shape)
    if residual is not None:
        r, factor, shift = residual
        total = total + round_shift(factor * r, shift)
    found: Integers = total
    return found


def round_activations(z: Integers, bits: int) -> Integers:
    """a = clip(round(z · 2^−12), 0, 2^b − 1)."""
    rounded = round_shift(z, words.FORM_FRACTION)
    return np.clip(rounded, 0, activation_levels(bits)).astype(np.int64)


def round_residual(z: Integers, bits: int, residual_bits: int) -> Integers:
    """r = clip(round(z · 2^−(12 − j)), 0, 2^rb − 1), j = rb − b: a step of r is 2^−j of one of the
    ``bits``-bit activations."""
    rounded = round_shift(z, words.FORM_FRACTION - (residual_bits - bits))
    return np.clip(rounded, 0, activation_levels(residual_bits)).astype(np.int64)


def residual_scale(extent: float, bits: int, residual_bits: int) -> float:
    """The real value of a step of r."""
    return clamp(extent) / (activation_levels(bits) * 2.0 ** (residual_bits - bits))
