"""The work around the convolutions of an integer step, as a backend carries it out.

Four passes over the elements of a layer, as the machine has them: sums are narrowed, formed into
activations, errors are joined, and applied. This class does them by the definition,
`sim.golden.step`, in NumPy; a backend with faster ways overrides methods, and gives the same
integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fractrain.hw.contract.normalized import Format
from fractrain.hw.contract.threefry import Key
from fractrain.sim.golden.random_bits import random_bytes
from fractrain.sim.golden.step import backward, forward, weights
from fractrain.sim.golden.step.backward import ErrorMoments, Slopes
from fractrain.sim.golden.step.forward import Mix, Moments, Normalizer, Term
from fractrain.sim.golden.step.scales import Multiplier
from fractrain.sim.golden.step.weights import UpdateRule

Array = Any
"""An array of the backend's."""


@dataclass(frozen=True)
class Normalization:
    """What a batch norm adds to what is formed: ``y[N,C,H,W]`` normalized ``by`` chunks into x̂ of
    the ``form``, its ``term``, and the form ``kept`` of x̂ for the way back (None: not kept)."""

    y: Array
    by: Normalizer
    term: Term
    form: Format
    kept: Format | None


@dataclass(frozen=True)
class Residual:
    """What an earlier tensor adds: round(r · ``factor`` · 2^−``shift``)."""

    r: Array
    factor: int
    shift: int


@dataclass(frozen=True)
class Wanted:
    """What is made of z: ``activations`` of ``bits`` bits, a residual of ``residual_bits`` for the
    ``stream``, and, to ``rectify``, the mask."""

    bits: int
    residual_bits: int
    rectify: bool = True
    activations: bool = True
    stream: bool = True


@dataclass(frozen=True)
class Formed:
    """``kept``: x̂ for the way back, of each normalization; ``mask``: where z > 0; ``activations``
    and ``residual``; None where not wanted. ``peak``: the greatest z."""

    kept: tuple[Array, ...]
    mask: Array | None
    activations: Array | None
    residual: Array | None
    peak: int


@dataclass(frozen=True)
class Sums:
    """Sums of an error: round(round(``sums`` · 2^−``before``) · ``by``)."""

    sums: Array
    before: int
    by: Multiplier


@dataclass(frozen=True)
class Stream:
    """An error E of another tensor: round(``e`` · 2^−``shift``)."""

    e: Array
    shift: int


class StepMath:
    """The four passes, and the weights. Host numbers (`Moments`, `Normalizer`, peaks) are NumPy's
    and Python's; everything of the size of a tensor is the backend's."""

    def from_host(self, array: Any) -> Array:
        """NumPy integers as the backend's."""
        return array

    def to_host(self, array: Array) -> Any:
        """The backend's integers as NumPy's."""
        return np.asarray(array)

    def normalizer(self, found: Moments, running: Mix | None = None) -> Normalizer:
        """`sim.golden.step.forward.normalizer`."""
        return forward.normalizer(found, running)

    def peak(self, sums: Array) -> int:
        """max|sums|."""
        return int(np.abs(sums).max(initial=0))

    def narrow(self, sums: Array, shift: int, chunk: int) -> tuple[Array, Moments, int]:
        """y of a convolution's ``sums``, its moments, and `peak`."""
        y = forward.narrow(sums, shift)
        return y, forward.moments(y, chunk), self.peak(sums)

    def form(
        self,
        normalizations: Sequence[Normalization],
        residual: Residual | None,
        chunk: int,
        wanted: Wanted,
    ) -> Formed:
        """z of all these, and what is ``wanted`` of it."""
        terms, kept = [], []
        for each in normalizations:
            x = forward.normalize(each.y, each.by, each.form, chunk)
            terms.append((x, each.term))
            if each.kept is not None:
                kept.append(x if each.kept == each.form else forward.keep(x, each.kept))
        around = None if residual is None else (residual.r, residual.factor, residual.shift)
        z = forward.form(terms, around)
        return Formed(
            tuple(kept),
            z > 0 if wanted.rectify else None,
            forward.round_activations(z, wanted.bits) if wanted.activations else None,
            forward.round_activations(z, wanted.residual_bits) if wanted.stream else None,
            int(z.max()),
        )

    def pool(self, r: Array) -> Any:
        """Σ of ``r[N,C,H,W]`` over pixels, NumPy's int64 [N,C]."""
        return np.asarray(r, np.int64).sum(axis=(2, 3))

    def join(
        self,
        sums: Sequence[Sums],
        streams: Sequence[Stream],
        mask: Array | None,
        kept: Sequence[Array],
        chunk: int,
    ) -> tuple[Array, list[ErrorMoments], int]:
        """E = sat16(mask · Σ), its moments with each x̂ of ``kept``, and the greatest |mask · Σ|."""
        parts = [backward.scale_sums(each.sums, each.before, each.by) for each in sums]
        parts += [backward.move(each.e, each.shift) for each in streams]
        total = backward.total(parts)
        if mask is not None:
            total = total * mask
        e = backward.join([total])
        moments = [backward.error_moments(e, each, chunk) for each in kept]
        return e, moments, int(np.abs(total).max(initial=0))

    def apply(
        self, e: Array, x: Array, by: Slopes, chunk: int, bits: int, key: Key
    ) -> tuple[Array, int]:
        """Quantized errors of ``bits`` bits before a batch norm, from E behind it, and the
        greatest |W|."""
        wide = backward.apply(e, x, by, chunk)
        images, channels, height, width = wide.shape
        random = random_bytes(key, images, channels, height * width).reshape(wide.shape)
        return backward.round_errors(wide, bits, random), int(np.abs(wide).max(initial=0))

    # -- weights ---------------------------------------------------------------------------

    def greatest(self, w: Array) -> float:
        """`sim.golden.step.weights.greatest`."""
        return weights.greatest(w)

    def deviation(self, w: Array) -> float:
        """`sim.golden.step.weights.deviation`."""
        return weights.deviation(w)

    def quantize_weights(self, w: Array, bits: int, scale: float) -> Array:
        """`sim.golden.step.weights.quantize_weights`."""
        return weights.quantize_weights(w, bits, scale)

    def update(
        self, w: Array, v: Array, sums: Array | None, rule: UpdateRule, key: Key
    ) -> tuple[Array, Array]:
        """New w and v; random bits by filter, and weight of the filter."""
        filters = w.shape[0]
        random = random_bytes(key, 1, filters, w.size // filters).reshape(w.shape)
        return weights.update(w, v, sums, rule, random)
