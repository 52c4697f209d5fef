"""The forward half around a convolution, in integers: narrow, normalize, form, quantize.

n: pixels of a channel in a chunk; sums over them. round(x·2^−k) = ⌊x·2^−k + ½⌋. docs/numerics.md
has the whole step, and what each choice costs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.normalized import WIDE, Format
from fractrain.hw.contract.values import Whole
from fractrain.sim.golden.step.chunks import sizes, spread, sum_chunks
from fractrain.sim.golden.step.reciprocal import reciprocal_root
from fractrain.sim.golden.step.rounding import (
    Integers,
    clip_symmetric,
    round_divide,
    round_shift,
    scale_to,
)
from fractrain.sim.golden.step.scales import (
    Number,
    Reals,
    activation_levels,
    clamp,
    power,
    to_integers,
    to_unsigned,
)


def narrow(sums: Integers, shift: int) -> Integers:
    """y = sat16(round(sums · 2^−shift)); ``shift`` is `scales.narrow_shift`, negative for small
    sums."""
    return scale_to(sums, shift, words.NARROW_BITS)


# -- statistics ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moments:
    """Of each chunk and channel, [chunks, C]: ``pixels`` n [chunks, 1], ``total`` Σy, and
    ``dispersion`` D = n·Σy² − (Σy)², unsigned 64 bits."""

    pixels: Integers
    total: Integers
    dispersion: NDArray[np.uint64]


def moments(y: Integers, chunk: int) -> Moments:
    """Of ``y[N,C,H,W]``.

    |Σy| ≤ n·2^15 and Σy² ≤ n·2^30. n·Σy² reaches 2^64 for n = 2^17, and is computed modulo 2^64:
    D ≤ n²·(2^16 − 1)²/4 < 2^64 is exact. `ParameterError` for n > 2^17.
    """
    pixels = sizes(len(y), chunk)[:, None] * (y.shape[2] * y.shape[3])
    if pixels.max() > words.MAX_CHUNK_PIXELS:
        allowed = f"at most {words.MAX_CHUNK_PIXELS}"
        raise ParameterError("pixels of a chunk", int(pixels.max()), allowed)
    total, squares = sum_chunks(y, chunk), sum_chunks(y * y, chunk)
    unsigned = total.astype(np.uint64)
    dispersion = pixels.astype(np.uint64) * squares.astype(np.uint64) - unsigned * unsigned
    return Moments(pixels, total, dispersion)


@dataclass(frozen=True)
class Mix:
    """Running statistics that are mixed into those of each chunk, [C], in steps of y.

    ``share`` λ in 1/256; ``mean`` in 1/16, 20 bits signed; ``variance`` 30 bits unsigned.
    """

    share: int
    mean: Integers
    variance: Integers


def mix(mean: Reals, variance: Reals, step: Number, share: int) -> Mix:
    """Running ``mean`` and ``variance``, real, from before the step, of sums worth ``step`` a step
    of y (one number, or one a channel): round(16·mean/step), round(variance/step²), both
    saturating.

    Raises `ParameterError` for a ``share`` that is not in 0..255.
    """
    Whole(0, (1 << words.MIX_BITS) - 1).read("share", share)
    scaled = np.asarray(variance, np.float64) / step / step
    return Mix(share, _mean(mean, step), to_unsigned(scaled, words.VARIANCE_BITS))


@dataclass(frozen=True)
class Normalizer:
    """Of each chunk and channel, [chunks, C]: ``mean`` μ' in 1/16 of a step of y, 20 bits signed;
    ``reciprocal`` M, 17 bits unsigned.

    With running statistics mixed in: ``share`` λ of them in 1/256; ``offset`` δ = (μ_chunk − μ)/σ
    in 2^−9, 18 bits signed. The way back needs both.
    """

    mean: Integers
    reciprocal: Integers
    share: int = 0
    offset: Integers | None = None


def normalizer(
    found: Moments,
    running: Mix | None = None,
    root: Callable[[NDArray[np.uint64], Integers], Integers] = reciprocal_root,
) -> Normalizer:
    """μ' = round(16·Σy / n);  M ≈ 2^22·n/√D', D' = max(D, n²·32²) (`reciprocal_root`).

    With ``running`` statistics, of λ·256 = l:

        μ' = round((l·μ'_running + (256 − l)·round(16·Σy / n)) · 2^−8)
        D' = max(round((l·n²·V_running + (256 − l)·D) · 2^−8), n²·32²)
        δ  = sat18(round((round(16·Σy / n) − μ')·M · 2^−17))

    l = 0 is the same as without. ``root``: `reciprocal_root`, or the same faster.
    """
    own = mean = round_divide(found.total << words.MEAN_FRACTION, found.pixels)
    dispersion = found.dispersion
    if running is not None:
        rest = (1 << words.MIX_BITS) - running.share
        mean = round_shift(running.share * running.mean + rest * own, words.MIX_BITS)
        dispersion = _mix_dispersion(found, running)
    floor = (found.pixels * words.LEAST_DEVIATION).astype(np.uint64) ** np.uint64(2)
    pixels = np.broadcast_to(found.pixels, mean.shape)
    reciprocal = root(np.maximum(dispersion, floor), pixels)
    if running is None:
        return Normalizer(mean, reciprocal)
    offset = scale_to((own - mean) * reciprocal, OFFSET_SHIFT, words.FACTOR_BITS)
    return Normalizer(mean, reciprocal, running.share, offset)


def _mix_dispersion(found: Moments, running: Mix) -> NDArray[np.uint64]:
    """round((l·n²·V + (256 − l)·D) · 2^−8), unsigned; the sum has 72 bits, in two words."""
    word, bits = np.uint64(32), np.uint64(words.MIX_BITS)
    low_word, half = np.uint64((1 << 32) - 1), np.uint64(1 << (words.MIX_BITS - 1))
    ours = found.dispersion
    theirs = found.pixels.astype(np.uint64) ** np.uint64(2) * running.variance.astype(np.uint64)
    share, rest = np.uint64(running.share), np.uint64((1 << words.MIX_BITS) - running.share)
    high = share * (theirs >> word) + rest * (ours >> word)
    low = share * (theirs & low_word) + rest * (ours & low_word)
    mixed: NDArray[np.uint64] = (high << (word - bits)) + ((low + half) >> bits)
    return mixed


def running_normalizer(mean: Reals, variance: Reals, step: float) -> Normalizer:
    """Of an evaluation: by the running ``mean`` and ``variance``, real, of sums worth ``step`` a
    step of y: μ' = round(16·mean/step), M = round(2^22·step/√variance) at most, [1, C]."""
    deviation = np.maximum(np.sqrt(np.asarray(variance, np.float64)) / step, words.LEAST_DEVIATION)
    reciprocal = to_unsigned((1 << words.RECIPROCAL_FRACTION) / deviation, words.RECIPROCAL_BITS)
    return Normalizer(_mean(mean, step).reshape(1, -1), reciprocal.reshape(1, -1))


def _mean(mean: Reals, step: Number) -> Integers:
    scaled = np.asarray(mean, np.float64) / step * (1 << words.MEAN_FRACTION)
    return to_integers(scaled, words.MEAN_BITS)


# -- x̂ ---------------------------------------------------------------------------------------

NORMALIZED_FRACTION = words.MEAN_FRACTION + words.RECIPROCAL_FRACTION
"""(16·y − μ')·M is (y − μ)/σ in 2^−26."""
OFFSET_SHIFT = NORMALIZED_FRACTION - words.OFFSET_FRACTION


def normalize(y: Integers, by: Normalizer, form: Format, chunk: int) -> Integers:
    """x̂ = clip(round((16·y − μ')·M · 2^−(26−g)), ±(2^(b−1) − 1)), in σ/2^g; ``form`` has b and g.

    21 by 17 bits, unsigned; the product has 38.
    """
    images = len(y)
    mean, reciprocal = spread(by.mean, chunk, images), spread(by.reciprocal, chunk, images)
    product = ((y << words.MEAN_FRACTION) - mean) * reciprocal
    return clip_symmetric(round_shift(product, NORMALIZED_FRACTION - form.fraction), form.bits)


def keep(wide: Integers, form: Format) -> Integers:
    """x̂ for the way back, from the `WIDE` one that z was made from:
    clip(round(x̂ · 2^−(8−g)), ±(2^(b−1) − 1))."""
    return clip_symmetric(round_shift(wide, WIDE.fraction - form.fraction), form.bits)


# -- z ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Term:
    """G·x̂ + B of each channel, [C]: what a batch norm adds to z."""

    factor: Integers
    offset: Integers


def form_fraction(bits: Number) -> Number:
    """19 − b: bits of z's fraction beside activations of ``bits``."""
    return words.FORM_BITS - bits


def unit_of_z(extent: Number, bits: Number) -> Number:
    """The real value of a step of z: extent / ((2^b − 1) · 2^(19−b)), where ``bits``-bit
    activations reach ``extent``."""
    return clamp(extent) / (activation_levels(bits) << form_fraction(bits))


def term(gamma: Reals, beta: Reals, form: Format, unit: float) -> Term:
    """G = round(γ · 2^−g / unit), 18 bits;  B = round(β / unit), 30 bits; both saturate. ``form``
    is that of x̂."""
    return terms(np.ravel(gamma), np.ravel(beta), factor_step(unit, form.fraction), unit)


def factor_step(unit: Number, fraction: Number) -> Number:
    """What γ counts in as G, beside x̂ in σ/2^``fraction``."""
    return unit * power(fraction)


def terms(gamma: Reals, beta: Reals, steps: Number, units: Number) -> Term:
    """G = round(γ / step), B = round(β / unit) of channels [C]; each may have its own ``steps`` and
    ``units``, where they are of several batch norms."""
    return Term(
        to_integers(gamma / steps, words.FACTOR_BITS), to_integers(beta / units, words.BETA_BITS)
    )


def residual_shift(residual_bits: int) -> int:
    """t: a residual of more than 8 bits has a factor with so many bits more of fraction."""
    return residual_bits - words.MIN_RESIDUAL_BITS


def residual_factor(scale: Number, unit: Number, residual_bits: int) -> Number:
    """ρ = round(2^t · scale / unit), 18 bits, for a residual worth ``scale`` a step."""
    factor = np.asarray(scale / unit * 2.0 ** residual_shift(residual_bits))
    found = to_integers(factor, words.FACTOR_BITS)
    return found if factor.ndim else int(found)


def form(
    terms: list[tuple[Integers, Term]], residual: tuple[Integers, int, int] | None = None
) -> Integers:
    """z = Σ (G·x̂ + B) + round(ρ·r · 2^−t), in `unit_of_z`; ``residual`` is (r, ρ, t).

    |G·x̂| < 2^28, |B| ≤ 2^29, ρ·r·2^−t < 2^25: with two terms z has 32 bits.
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
    """a = clip(round(z · 2^−(19−b)), 0, 2^b − 1).

    Also the residual r of c = ``bits`` bits: r = clip(round(z · 2^−(19−c)), 0, 2^c − 1), a step of
    which is 2^(b−c) of one of the b-bit activations that z was made for.
    """
    rounded = round_shift(z, form_fraction(bits))
    return np.clip(rounded, 0, activation_levels(bits)).astype(np.int64)


def residual_scale(extent: Number, bits: Number, residual_bits: int) -> Number:
    """The real value of a step of r: 2^(b−c) of one of activations that reach ``extent``."""
    return clamp(extent) / (activation_levels(bits) * power(residual_bits - bits))
