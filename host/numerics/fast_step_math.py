"""A step's work around the convolutions in NumPy, fast: blocks that stay in the cache, small types.

The integers of `StepMath`. Products are float64, which holds every integer below 2^53, and whose
multiplication by a power of two is exact; so ⌊x·2^−k + ½⌋ is `numpy.floor` of what was computed
without rounding. What could exceed that goes to the definition.

A factor and a shift are one number then, and so are an offset and the half that rounds:

    x̂ = clip(⌊y·(16·M·2^−s) + (½ − μ'·M·2^−s)⌋)        s = 29 − bits, 38 bits
    W = E·(16·A) + x̂·B − T₁'·A                          40 bits
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.numerics import step_sums
from fractrain.host.numerics.step_math import (
    Formed,
    Normalization,
    Residual,
    StepMath,
    Stream,
    Sums,
    Wanted,
)
from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.threefry import Key
from fractrain.sim.golden.random_bits import random_bytes
from fractrain.sim.golden.step import backward, forward, reciprocal, weights
from fractrain.sim.golden.step.backward import ErrorMoments, Slopes
from fractrain.sim.golden.step.forward import Mix, Moments, Normalizer
from fractrain.sim.golden.step.rounding import LARGEST_SHIFT, Integers
from fractrain.sim.golden.step.scales import activation_levels

Reals = NDArray[np.float64]

BLOCK = 1 << 15
"""Elements worked on at a time: two arrays of float64 are 512 KB."""

EXACT = 1 << 53
"""float64 holds smaller integers."""

NARROW = (1 << (words.NARROW_BITS - 1)) - 1


class FastStepMath(StepMath):
    """Arrays are NumPy's [N,C,H,W]: y and E int16; x̂ and errors int8 or int16; activations and r
    uint8 or uint16; masks bool; sums any numbers, weights integers of 64 bits."""

    def normalizer(self, found: Moments, running: Mix | None = None) -> Normalizer:
        return forward.normalizer(found, running, reciprocal_roots)

    def peak(self, sums: NDArray) -> int:
        return _reach(sums) if sums.size else 0

    # -- forward ---------------------------------------------------------------------------

    def narrow(self, sums: NDArray, shift: int, chunk: int) -> tuple[NDArray, Moments, int]:
        y = np.empty(sums.shape, np.int16)
        totals, squares = np.empty((2, *sums.shape[:2]))
        peak = 0
        for part, v in _blocks(sums.shape):
            v[...] = _rows(sums, part)
            peak = max(peak, _reach(v))
            scale_to(v, 1, shift, words.NARROW_BITS)
            _rows(y, part)[...] = v
            totals[part], squares[part] = _total(v), _products(v, v)
        if peak >= EXACT:
            return super().narrow(sums.astype(np.int64), shift, chunk)
        pixels = sums.shape[2] * sums.shape[3]
        found = step_sums.moments(_whole(totals), _whole(squares), pixels, chunk)
        return y, found, peak

    def form(
        self,
        normalizations: Sequence[Normalization],
        residual: Residual | None,
        chunk: int,
        wanted: Wanted,
    ) -> Formed:
        shape = (normalizations[0].y if normalizations else present(residual).r).shape
        kept = [
            None if each.kept is None else np.empty(shape, step_sums.signed_type(each.kept.bits))
            for each in normalizations
        ]
        bits, residual_bits = wanted.bits, wanted.residual_bits
        mask = np.empty(shape, np.bool_) if wanted.rectify else None
        a = np.empty(shape, step_sums.unsigned_type(bits)) if wanted.activations else None
        r = np.empty(shape, step_sums.unsigned_type(residual_bits)) if wanted.stream else None
        parts = [_Part(each, keep, chunk) for each, keep in zip(normalizations, kept, strict=True)]
        peaks = []
        for part, z, x in _blocks(shape, 2):
            z[...] = 0
            for each in parts:
                each.add(part, x, z)
            if residual is not None:
                np.multiply(_rows(residual.r, part), float(residual.factor), out=x)
                z += _round(x, 2.0**-residual.shift)
            peaks.append(z.max())
            if mask is not None:
                np.greater(z, 0, out=_rows(mask, part))
            if a is not None:
                _rows(a, part)[...] = _levels(z, x, bits)
            if r is not None:
                _rows(r, part)[...] = _levels(z, x, residual_bits)
        carried = tuple(each for each in kept if each is not None)
        return Formed(carried, mask, a, r, int(max(peaks)))

    def pool(self, r: NDArray) -> NDArray[np.int64]:
        sums = np.empty(r.shape[:2])
        for part, v in _blocks(r.shape):
            v[...] = _rows(r, part)
            sums[part] = _total(v)
        return _whole(sums)

    # -- backward --------------------------------------------------------------------------

    def join(
        self,
        sums: Sequence[Sums],
        streams: Sequence[Stream],
        mask: NDArray | None,
        kept: Sequence[NDArray],
        chunk: int,
    ) -> tuple[NDArray, list[ErrorMoments], int]:
        shape = (sums[0].sums if sums else streams[0].e).shape
        e = np.empty(shape, np.int16)
        totals, peak = np.empty((1 + len(kept), *shape[:2])), 0
        for part, total, v in _blocks(shape, 2):
            total[...] = 0
            for each in sums:
                v[...] = _rows(each.sums, part)
                _round(v, 2.0**-each.before)
                total += scale_to(v, each.by.mantissa, each.by.shift, words.JOIN_BITS)
            for stream in streams:
                v[...] = _rows(stream.e, part)
                total += scale_to(v, 1, stream.shift, words.JOIN_BITS)
            if mask is not None:
                total *= _rows(mask, part)
            peak = max(peak, _reach(total))
            np.clip(total, -NARROW - 1, NARROW, out=total)
            _rows(e, part)[...] = total
            totals[0][part] = _total(total)
            for k, x in enumerate(kept):
                v[...] = _rows(x, part)
                totals[1 + k][part] = _products(total, v)
        pixels, whole = shape[2] * shape[3], _whole(totals)
        moments = [step_sums.error_moments(whole[0], x, pixels, chunk) for x in whole[1:]]
        return e, moments, peak

    def apply(
        self, e: NDArray, x: NDArray, by: Slopes, chunk: int, bits: int, key: Key
    ) -> tuple[NDArray, int]:
        images, channels, height, width = e.shape
        quantized = np.empty(e.shape, step_sums.signed_type(bits))
        a = _spread(by.a << words.MEAN_FRACTION, chunk, images)
        b, mean = (_spread(each, chunk, images) for each in (by.b << by.lift, -by.mean * by.a))
        fraction, limits = backward.fraction(bits), step_sums.signed_range(bits)
        peak = 0
        for part, w, v in _blocks(e.shape, 2):
            w[...] = _rows(e, part)
            w *= a[part]
            v[...] = _rows(x, part)
            v *= b[part]
            w += v
            w += mean[part]
            peak = max(peak, _reach(w))
            count = part.stop - part.start
            v[...] = random_bytes(key, count, channels, height * width, part.start)
            v += 0.5
            v *= 2.0 ** (fraction - words.RANDOM_BITS)
            w += v
            w *= 2.0**-fraction
            np.clip(np.floor(w, out=w), *limits, out=w)
            _rows(quantized, part)[...] = w
        return quantized, peak

    # -- weights ---------------------------------------------------------------------------

    def quantize_weights(self, w: NDArray, bits: int, scale: float) -> NDArray:
        by = weights.weight_multiplier(scale)
        v = scale_to(w.astype(float), by.mantissa, by.shift, words.MASTER_BITS)
        return np.clip(v, *step_sums.signed_range(bits)).astype(step_sums.signed_type(bits))


class Affine:
    """x̂ of a normalization: ⌊y·``factor`` + ``offset``⌋ within ``limits``; float64 [chunks, C]."""

    def __init__(self, of: Normalization) -> None:
        reciprocal = of.by.reciprocal * 2.0 ** (of.form.fraction - forward.NORMALIZED_FRACTION)
        levels = of.form.most
        self.factor = reciprocal * (1 << words.MEAN_FRACTION)
        self.offset = 0.5 - of.by.mean * reciprocal
        self.limits = -levels, levels


class _Part:
    """A normalization, with its numbers for each image."""

    def __init__(self, of: Normalization, kept: NDArray | None, chunk: int) -> None:
        affine, images = Affine(of), len(of.y)
        self._of, self._kept, self._limits = of, kept, affine.limits
        self._factor = _spread(affine.factor, chunk, images)
        self._offset = _spread(affine.offset, chunk, images)
        self._term = [each.astype(float)[:, None] for each in (of.term.factor, of.term.offset)]

    def add(self, part: slice, x: Reals, z: Reals) -> None:
        """z += G·x̂ + B of some images, in the room ``x``; their x̂ is kept if asked for."""
        x[...] = _rows(self._of.y, part)
        x *= self._factor[part]
        x += self._offset[part]
        np.clip(np.floor(x, out=x), *self._limits, out=x)
        if self._kept is not None:
            _rows(self._kept, part)[...] = self._fewer(x)
        x *= self._term[0]
        x += self._term[1]
        z += x

    def _fewer(self, x: Reals) -> Reals:
        """`forward.keep`; x̂ stays as it is."""
        kept = self._of.kept
        if kept is None or kept == self._of.form:
            return x
        found = _round(x.copy(), 2.0 ** (kept.fraction - self._of.form.fraction))
        return np.clip(found, -kept.most, kept.most, out=found)


def reciprocal_roots(radicand: NDArray[np.uint64], pixels: Integers) -> Integers:
    """`reciprocal.reciprocal_root`, all at once."""
    q = (_bit_lengths(radicand) + 1) // 2 - words.RADICAND_BITS // 2
    right, left = (2 * np.maximum(each, 0).astype(np.uint64) for each in (q, -q))
    v = (radicand >> right << left).astype(np.int64)
    t = np.array(reciprocal.reciprocal_table(), np.int64)[v >> reciprocal.INDEX_SHIFT]
    u = (3 << words.NEWTON_FRACTION) - v * ((t * t) >> words.SQUARE_SHIFT)
    r = (t * (u >> words.NEWTON_SHIFT)) >> words.ROOT_SHIFT
    shift = words.ROOT_FRACTION - words.RECIPROCAL_FRACTION + q
    rounded = (pixels * r + (np.int64(1) << shift >> 1)) >> shift
    return np.minimum(rounded, (1 << words.RECIPROCAL_BITS) - 1)


def _bit_lengths(x: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Of 64-bit numbers, by halves that float64 holds."""
    high = np.frexp((x >> np.uint64(32)).astype(float))[1]
    low = np.frexp((x & np.uint64((1 << 32) - 1)).astype(float))[1]
    return np.where(high > 0, high + 32, low).astype(np.int64)


# -- blocks ------------------------------------------------------------------------------------


def _blocks(shape: tuple[int, ...], buffers: int = 1) -> Iterator[Any]:
    """(images, buffer, …): slices of the batch, and float64 [images, C, pixels] to work in."""
    images, channels, height, width = shape
    count = max(1, BLOCK // (channels * height * width))
    room = np.empty((buffers, min(count, images), channels, height * width))
    for start in range(0, images, count):
        part = slice(start, min(start + count, images))
        yield part, *room[:, : part.stop - start]


def _rows(array: NDArray, part: slice) -> NDArray:
    """Some images of ``array``, [images, C, pixels]; a view, if its pixels lie together."""
    images = array[part]
    return images.reshape(*images.shape[:2], -1)


def _spread(values: NDArray, chunk: int, images: int) -> Reals:
    """``values[chunks, C]`` for each image, float64 [N,C,1]."""
    return values.astype(float)[np.arange(images) // chunk][:, :, None]


def _round(v: Reals, scale: float) -> Reals:
    """⌊v·scale + ½⌋ in place."""
    v *= scale
    v += 0.5
    return np.floor(v, out=v)


def scale_to(v: Reals, factor: int, shift: int, bits: int) -> Reals:
    """`rounding.scale_to` of ``v``·``factor``, in place. What float64 rounds there saturates."""
    shift = min(max(shift, -bits), LARGEST_SHIFT + 1)
    _round(v, factor * 2.0**-shift)
    most = 1 << (bits - 1)
    return np.clip(v, -most, most - 1, out=v)


def _levels(z: Reals, room: Reals, bits: int) -> Reals:
    """`forward.round_activations` in ``room``."""
    np.multiply(z, 2.0 ** -forward.form_fraction(bits), out=room)
    room += 0.5
    np.floor(room, out=room)
    return np.clip(room, 0, activation_levels(bits), out=room)


def _total(v: Reals) -> Reals:
    return v.sum(axis=2)


def _products(v: Reals, x: Reals) -> Reals:
    """Σ v·x over pixels."""
    found: Reals = np.einsum("ncp,ncp->nc", v, x)
    return found


def _reach(v: NDArray) -> int:
    """max|v|."""
    return max(int(v.max()), -int(v.min()))


def _whole(sums: Reals) -> NDArray[np.int64]:
    return sums.astype(np.int64)


def present(residual: Residual | None) -> Residual:
    """What there is to form without normalizations."""
    if residual is None:
        raise ValueError("nothing to form: neither a normalization nor a residual")
    return residual
