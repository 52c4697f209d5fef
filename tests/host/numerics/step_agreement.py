"""Any form of a step's work around the convolutions beside the definition, on random tensors.

`Drawn` has one hypothesis example: shapes, bits, and how extreme the numbers are. Each ``check_*``
gives a form and `StepMath` the same tensors, and compares every integer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from fractrain.host.numerics.fast_step_math import reciprocal_roots
from fractrain.host.numerics.step_math import (
    Normalization,
    Residual,
    StepMath,
    Stream,
    Sums,
    Wanted,
)
from fractrain.hw.contract.normalized import WIDE, inner_format, outer_format
from fractrain.sim.golden.step import backward, forward, weights
from fractrain.sim.golden.step.backward import ErrorMoments, Slopes
from fractrain.sim.golden.step.forward import Moments, Normalizer, Term
from fractrain.sim.golden.step.reciprocal import reciprocal_root
from fractrain.sim.golden.step.scales import Multiplier

DEFINITION = StepMath()
KINDS = ("random", "small", "zero", "least", "greatest", "constant channels")


@dataclass(frozen=True)
class Drawn:
    """One example."""

    images: int
    channels: int
    height: int
    width: int
    chunk: int
    seed: int
    kind: str
    choice: tuple[int, ...]
    """Numbers that choose everything else, each 0 .. 999."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.images, self.channels, self.height, self.width

    @property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def integers(self, rng: np.random.Generator, low: int, high: int, *shape: int) -> NDArray:
        """Integers low .. high of the example's kind, int64; of no shape, a tensor."""
        shape = shape or self.shape
        if self.kind == "zero":
            return np.full(shape, min(max(0, low), high), np.int64)
        if self.kind == "least":
            return np.full(shape, low, np.int64)
        if self.kind == "greatest":
            return np.full(shape, high, np.int64)
        if self.kind == "small":
            low, high = max(low, -3), min(high, 3)
        found = rng.integers(low, high + 1, shape)
        if self.kind == "constant channels" and len(shape) == 4:
            found[:] = found[:1, :, :1, :1]
        return found

    def pick(self, index: int, low: int, high: int) -> int:
        """low .. high, by the example's choice."""
        return low + self.choice[index] % (high - low + 1)


def examples() -> st.SearchStrategy[Drawn]:
    sizes = st.sampled_from((1, 2, 3, 5, 8, 16, 33))
    return st.builds(
        Drawn,
        images=st.integers(1, 7),
        channels=st.sampled_from((1, 2, 3, 5, 16, 40)),
        height=st.integers(1, 9),
        width=sizes,
        chunk=st.integers(1, 4),
        seed=st.integers(0, 1 << 20),
        kind=st.sampled_from(KINDS),
        choice=st.tuples(*[st.integers(0, 999)] * 12),
    )


def check_narrow(form: StepMath, drawn: Drawn, types: tuple[str, ...]) -> None:
    """``types``: what convolutions may give."""
    magnitude = 1 << drawn.pick(0, 0, 24)
    sums = drawn.integers(drawn.rng, -magnitude, magnitude)
    sums = sums.astype(types[drawn.pick(1, 0, len(types) - 1)])
    shift = drawn.pick(2, -30, 26)
    found = form.narrow(form.from_host(sums), shift, drawn.chunk)
    _equal(form, found, DEFINITION.narrow(sums.astype(np.int64), shift, drawn.chunk))
    assert form.peak(form.from_host(sums)) == found[2]


def check_form(form: StepMath, drawn: Drawn) -> None:
    rng = drawn.rng
    bits, residual_bits = drawn.pick(0, 1, 8), drawn.pick(1, 8, 16)
    normalizations = [_normalization(rng, drawn, k) for k in range(drawn.pick(2, 0, 3))]
    residual = None
    if drawn.pick(3, 0, 1) or not normalizations:
        r = drawn.integers(rng, 0, (1 << residual_bits) - 1)
        factor = int(drawn.integers(rng, -(1 << 17), (1 << 17) - 1, 1)[0])
        residual = Residual(r, factor, forward.residual_shift(residual_bits))
    wanted = Wanted(
        bits,
        residual_bits,
        rectify=bool(drawn.pick(4, 0, 1)),
        activations=bool(drawn.pick(5, 0, 2)),
        stream=bool(drawn.pick(6, 0, 2)),
    )
    truth = DEFINITION.form(normalizations, residual, drawn.chunk, wanted)
    given = [replace(each, y=_given(form, each.y, np.int16)) for each in normalizations]
    if residual is not None:
        kind = np.uint8 if residual_bits <= 8 else np.uint16
        residual = replace(residual, r=_given(form, residual.r, kind))
    found = form.form(given, residual, drawn.chunk, wanted)
    _equal(form, tuple(vars(found).values()), tuple(vars(truth).values()))
    if found.residual is not None:
        _equal(form, form.pool(found.residual), DEFINITION.pool(truth.residual))


def check_join(form: StepMath, drawn: Drawn, types: tuple[str, ...]) -> None:
    rng = drawn.rng
    sums, streams = [], []
    for k in range(drawn.pick(0, 0, 2)):
        magnitude = 1 << drawn.pick(1 + k, 0, 24)
        each = drawn.integers(rng, -magnitude, magnitude)
        by = Multiplier((1 << 16) + drawn.pick(4, 0, 999) * 65, drawn.pick(5, -25, 70))
        before = backward.preshift(magnitude) + drawn.pick(6, 0, 2)
        sums.append(Sums(each.astype(types[drawn.pick(7, 0, len(types) - 1)]), before, by))
    for k in range(drawn.pick(8, 0, 2) if sums else 1):
        each = drawn.integers(rng, -(1 << 15), (1 << 15) - 1)
        streams.append(Stream(each, drawn.pick(9 + k % 2, -40, 70)))
    mask = drawn.integers(rng, 0, 1) == 1 if drawn.pick(10, 0, 1) else None
    kept, kinds = [], []
    for k in range(drawn.pick(11, 0, 3)):
        bits = (4, 8, 11)[drawn.pick(k, 0, 2)]
        kept.append(drawn.integers(rng, -(1 << (bits - 1)) + 1, (1 << (bits - 1)) - 1))
        kinds.append(np.int8 if bits <= 8 else np.int16)
    truth = DEFINITION.join(
        [replace(each, sums=each.sums.astype(np.int64)) for each in sums],
        *(streams, mask, kept, drawn.chunk),
    )
    found = form.join(
        [replace(each, sums=form.from_host(each.sums)) for each in sums],
        [replace(each, e=_given(form, each.e, np.int16)) for each in streams],
        None if mask is None else form.from_host(mask),
        [_given(form, each, kind) for each, kind in zip(kept, kinds, strict=True)],
        drawn.chunk,
    )
    _equal(form, found, truth)
    assert form.peak(found[0]) == DEFINITION.peak(truth[0])


def check_apply(form: StepMath, drawn: Drawn) -> None:
    rng = drawn.rng
    kept, bits = drawn.pick(0, 4, 11), drawn.pick(1, 1, 12)
    e = drawn.integers(rng, -(1 << 15), (1 << 15) - 1)
    x = drawn.integers(rng, -(1 << (kept - 1)) + 1, (1 << (kept - 1)) - 1)
    chunks = -(-drawn.images // drawn.chunk)
    scale = drawn.pick(2, 4, 17)
    mean, a, b = (
        drawn.integers(rng, -(1 << width), (1 << width) - 1, chunks, drawn.channels)
        for width in (19, scale, scale + 7)
    )
    by, key = Slopes(mean, a, b, 11 - kept), (drawn.seed, drawn.seed << 40)
    found = form.apply(
        *(_given(form, e, np.int16), _given(form, x, np.int8 if kept <= 8 else np.int16)),
        *(by, drawn.chunk, bits, key),
    )
    _equal(form, found, DEFINITION.apply(e, x, by, drawn.chunk, bits, key))


def check_weights(form: StepMath, drawn: Drawn) -> None:
    rng, limit = drawn.rng, 1 << 31
    w = drawn.integers(rng, -limit, limit - 1) >> drawn.pick(0, 0, 31)
    v = drawn.integers(rng, -limit, limit - 1) >> drawn.pick(1, 0, 31)
    bound = 1 << drawn.pick(2, 4, 40)
    sums = drawn.integers(rng, -bound, bound) if drawn.pick(3, 0, 3) else None
    rule = weights.update_rule(
        2.0 ** -drawn.pick(4, 0, 60),
        bound,
        momentum=0.9 * drawn.pick(5, 0, 1),
        decay=1e-4 * drawn.pick(6, 0, 1),
        rate=2.0 ** -drawn.pick(7, -2, 70),
    )
    key = (drawn.seed, drawn.seed << 40)
    given = None if sums is None else form.from_host(sums)
    master = form.from_host(w)
    found = form.update(master, form.from_host(v), given, rule, key)
    _equal(form, found, DEFINITION.update(w, v, sums, rule, key))
    assert form.greatest(master) == DEFINITION.greatest(w)
    assert form.deviation(master) == DEFINITION.deviation(w)
    bits = drawn.pick(8, 1, 8)
    scale = weights.weight_scale(DEFINITION.greatest(w) * 2.0 ** -drawn.pick(9, -1, 3), bits)
    found = form.quantize_weights(master, bits, scale)
    _equal(form, found, DEFINITION.quantize_weights(w, bits, scale))


def check_normalizer(drawn: Drawn) -> None:
    """`reciprocal_roots` beside the definition's, one number at a time."""
    rng, count = drawn.rng, 50
    pixels = rng.integers(1, 1 << drawn.pick(0, 1, 17), count, endpoint=True)
    least = (pixels * 32).astype(np.uint64) ** np.uint64(2)
    wide = rng.integers(0, 1 << 63, count, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    radicand = np.maximum(wide >> np.uint64(drawn.pick(1, 0, 63)), least)
    if drawn.kind == "least":
        radicand = least
    if drawn.kind == "greatest":
        radicand = pixels.astype(np.uint64) ** np.uint64(2) * np.uint64(1 << 30) - np.uint64(1)
        radicand = np.maximum(radicand, least)
    found = reciprocal_roots(radicand, pixels)
    np.testing.assert_array_equal(found, reciprocal_root(radicand, pixels))


FORMATS = [
    (inner_format(8), None),
    *((each, each) for each in (inner_format(8), inner_format(11), inner_format(5))),
    (inner_format(7, 3), inner_format(7, 3)),
    *((WIDE, outer_format(bits)) for bits in (4, 8)),
]
"""Of x̂ that z is formed from, and of what is kept of it."""


def _normalization(rng: np.random.Generator, drawn: Drawn, k: int) -> Normalization:
    shape = -(-drawn.images // drawn.chunk), drawn.channels
    form, kept = FORMATS[drawn.pick(7 + k, 0, len(FORMATS) - 1)]
    y = drawn.integers(rng, -(1 << 15), (1 << 15) - 1)
    by = Normalizer(
        drawn.integers(rng, -(1 << 19), (1 << 19) - 1, *shape),
        drawn.integers(rng, 0, (1 << 17) - 1, *shape) >> drawn.pick(10, 0, 12),
    )
    term = Term(
        drawn.integers(rng, -(1 << 17), (1 << 17) - 1, drawn.channels),
        drawn.integers(rng, -(1 << 29), (1 << 29) - 1, drawn.channels) >> drawn.pick(11, 0, 20),
    )
    return Normalization(y, by, term, form, kept)


def _given(form: StepMath, array: NDArray, kind: type[np.integer]) -> Any:
    return form.from_host(array.astype(kind))


def _equal(form: StepMath, found: Any, truth: Any) -> None:
    """Of whatever the methods give: arrays of the backend, host numbers, and tuples of them."""
    if truth is None:
        assert found is None
    elif isinstance(truth, tuple | list):
        assert len(found) == len(truth)
        for one, other in zip(found, truth, strict=True):
            _equal(form, one, other)
    elif isinstance(truth, Moments | ErrorMoments):
        _equal(form, tuple(vars(found).values()), tuple(vars(truth).values()))
    else:
        host = found if isinstance(found, int | np.ndarray) else form.to_host(found)
        np.testing.assert_array_equal(host, truth)
