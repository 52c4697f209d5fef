"""A step's work around the convolutions by compiled kernels, on arrays in the host's memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.backends.compiled import (
    kernels_backward,
    kernels_forward,
    kernels_weights,
)
from fractrain.host.backends.compiled.compiling import run_shares, shares
from fractrain.host.backends.compiled.kernels_tiles import Walk
from fractrain.host.numerics import step_sums
from fractrain.host.numerics.step_math import (
    Array,
    Formed,
    Normalization,
    Residual,
    StepMath,
    Stream,
    Sums,
    Wanted,
)
from fractrain.host.numerics.step_sums import both_ways
from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.threefry import Key
from fractrain.sim.golden.step import backward, forward, weights
from fractrain.sim.golden.step.backward import ErrorMoments, Slopes
from fractrain.sim.golden.step.forward import Mix, Moments, Normalizer
from fractrain.sim.golden.step.scales import Multiplier, activation_levels
from fractrain.sim.golden.step.weights import UpdateRule

MOST = 2
"""Normalizations, sums, streams and x̂ that a kernel takes; with more of them, the plain form
works."""


class Memory(ABC):
    """How a backend's arrays ``[N,C,H,W]`` lie in memory; kernels see flat NumPy arrays."""

    @abstractmethod
    def flat(self, array: Array) -> NDArray:
        """The elements of ``array`` in the order of the memory: no copy, unless it lies otherwise
        than usual."""

    @abstractmethod
    def empty(self, shape: tuple[int, ...], kind: type[np.generic]) -> tuple[Array, NDArray]:
        """A new array, and the same flat."""

    @abstractmethod
    def weights(self, array: Array) -> NDArray:
        """``array[K, …]`` as [K, weights of a filter]: no copy, unless it lies otherwise."""

    @abstractmethod
    def new_weights(self, like: Array, kind: type[np.generic]) -> tuple[Array, NDArray]:
        """A new array of the shape of ``like``, and the same as `weights`."""

    def note(self, array: Array, low: int, high: int) -> None:  # noqa: B027  not all want to know
        """``array``, an operand of convolutions, has integers of that range."""

    def unsigned_type(self, bits: int) -> type[np.generic]:
        """Of r of so many bits."""
        return step_sums.unsigned_type(bits)

    turns: bool
    """Whether channels take turns in it: [N,H,W,C]."""


class ArrayMemory(Memory):
    """NumPy arrays."""

    turns = False

    def flat(self, array: Array) -> NDArray:
        return np.ascontiguousarray(array).reshape(-1)

    def empty(self, shape: tuple[int, ...], kind: type[np.generic]) -> tuple[Array, NDArray]:
        array = np.empty(shape, kind)
        return array, array.reshape(-1)

    def weights(self, array: Array) -> NDArray:
        array = np.ascontiguousarray(array)
        return array.reshape(len(array), -1)

    def new_weights(self, like: Array, kind: type[np.generic]) -> tuple[Array, NDArray]:
        array = np.empty(like.shape, kind)
        return array, array.reshape(len(array), -1)


class CompiledStepMath(StepMath):
    """The integers of ``plain``, by kernels on ``threads()`` threads.

    ``operand``: the type of what convolutions take; None for the smallest integers.
    """

    def __init__(
        self,
        plain: StepMath,
        memory: Memory,
        threads: Callable[[], int],
        operand: type[np.generic] | None = None,
    ) -> None:
        self.plain, self._memory, self._threads = plain, memory, threads
        self._operand = operand

    def from_host(self, array: Any) -> Array:
        return self.plain.from_host(array)

    def to_host(self, array: Array) -> Any:
        return self.plain.to_host(array)

    def normalizer(self, found: Moments, running: Mix | None = None) -> Normalizer:
        return self.plain.normalizer(found, running)

    def peak(self, sums: Array) -> int:
        return self.plain.peak(sums)

    def pool(self, r: Array) -> Any:
        return self.plain.pool(r)

    # -- forward ---------------------------------------------------------------------------

    def narrow(self, sums: Array, shift: int, chunk: int) -> tuple[Array, Moments, int]:
        shape = tuple(sums.shape)
        source = self._memory.flat(sums)
        y, target = self._memory.empty(shape, np.int16)
        totals, squares = np.zeros((2, *shape[:2]), np.int64)
        most, left, right = both_ways(shift, words.NARROW_BITS)

        is_short = source.dtype == np.float32 and left == 0

        def work(*place: int) -> int:
            return kernels_forward.narrow(
                *(source, target, totals, squares, is_short, most, left, right), *place
            )

        peak = max(self._run(shape, work))
        return y, step_sums.moments(totals, squares, shape[2] * shape[3], chunk), peak

    def form(
        self,
        normalizations: Sequence[Normalization],
        residual: Residual | None,
        chunk: int,
        wanted: Wanted,
    ) -> Formed:
        if not 1 <= len(normalizations) <= MOST or not _fits(normalizations, residual):
            return self.plain.form(normalizations, residual, chunk, wanted)
        bits, residual_bits = wanted.bits, wanted.residual_bits
        shape = tuple(normalizations[0].y.shape)
        kept, parts = [], []
        for each in normalizations:
            x, flat = None, np.empty(0, np.int8)
            if each.kept is not None:
                x, flat = self._memory.empty(shape, step_sums.signed_type(each.kept.bits))
                kept.append(x)
            parts.append(self._part(each, flat))
        if len(parts) < MOST:
            empty = np.empty(0, np.int16), np.empty(0, np.int8), *parts[0][2:]
            parts.append(empty)
        smallest = self._memory.unsigned_type(residual_bits)
        around: tuple[Any, ...] = (np.empty(0, smallest), 0, 0)
        if residual is not None:
            around = self._memory.flat(residual.r), residual.factor, residual.shift
        mask, a, r = (self._none(kind) for kind in (np.bool_, self._type_of(bits), smallest))
        if wanted.rectify:
            mask = self._memory.empty(shape, np.bool_)
        if wanted.activations:
            a = self._memory.empty(shape, self._type_of(bits))
        if wanted.stream:
            r = self._memory.empty(shape, smallest)
        rounded = (a[1], forward.form_fraction(bits), activation_levels(bits))
        fraction = forward.form_fraction(residual_bits)
        carried = (r[1], fraction, activation_levels(residual_bits))

        def work(*place: int) -> int:
            first = place[-2:]
            return kernels_forward.form(
                *(*parts, around, mask[1], rounded, carried),
                *(*place[:-2], chunk, *first),
            )

        peak = max(self._run(shape, work))
        if wanted.activations:
            self._memory.note(a[0], 0, activation_levels(bits))
        return Formed(tuple(kept), mask[0], a[0], r[0], peak)

    def _part(self, each: Normalization, kept: NDArray) -> tuple[Any, ...]:
        mean, reciprocal = each.by.mean, each.by.reciprocal
        rows = (mean, reciprocal >> 8, reciprocal & 255, each.term.factor, each.term.offset)
        values = np.stack([np.broadcast_to(row, mean.shape) for row in rows]).astype(np.int32)
        form, kept_form = each.form, each.kept or each.form
        return (
            *(self._memory.flat(each.y), kept, values),
            *(forward.NORMALIZED_FRACTION - form.fraction, form.most),
            *(form.fraction - kept_form.fraction, kept_form.most),
        )

    # -- backward --------------------------------------------------------------------------

    def join(
        self,
        sums: Sequence[Sums],
        streams: Sequence[Stream],
        mask: Array | None,
        kept: Sequence[Array],
        chunk: int,
    ) -> tuple[Array, list[ErrorMoments], int]:
        if max(len(sums), len(streams), len(kept)) > MOST or not sums and not streams:
            return self.plain.join(sums, streams, mask, kept, chunk)
        shape = tuple((sums[0].sums if sums else streams[0].e).shape)
        parts: list[tuple[Any, ...]] = []
        for each in sums:
            ways = both_ways(each.by.shift, words.JOIN_BITS)
            parts.append((self._memory.flat(each.sums), each.before, each.by.mantissa, *ways))
        while len(parts) < MOST:
            parts.append(((parts[0][0] if parts else np.empty(0, np.int16))[:0], 0, 0, 0, 0, 0))
        for stream in streams:
            ways = both_ways(stream.shift, words.JOIN_BITS)
            parts.append((self._memory.flat(stream.e), 0, 1, *ways))
        while len(parts) < 2 * MOST:
            parts.append((np.empty(0, np.int16), 0, 0, 0, 0, 0))
        positive = np.empty(0, np.bool_) if mask is None else self._memory.flat(mask)
        normalized = [self._memory.flat(each) for each in kept]
        while len(normalized) < MOST:
            normalized.append((normalized[0] if normalized else np.empty(0, np.int8))[:0])
        e, target = self._memory.empty(shape, np.int16)
        totals = np.zeros((1 + MOST, *shape[:2]), np.int64)

        def work(*place: int) -> int:
            return kernels_backward.join(*parts, positive, *normalized, target, totals, *place)

        peak = max(self._run(shape, work))
        pixels = shape[2] * shape[3]
        moments = [
            step_sums.error_moments(totals[0], totals[1 + k], pixels, chunk)
            for k in range(len(kept))
        ]
        return e, moments, peak

    def apply(
        self, e: Array, x: Array, by: Slopes, chunk: int, bits: int, key: Key
    ) -> tuple[Array, int]:
        shape = tuple(e.shape)
        values = np.stack([by.mean, by.a, by.b << by.lift])
        kind = self._operand or step_sums.signed_type(bits)
        quantized, target = self._memory.empty(shape, kind)
        how = (backward.fraction(bits), *step_sums.signed_range(bits), *map(np.uint64, key))
        error, normalized = self._memory.flat(e), self._memory.flat(x)

        def work(*place: int) -> int:
            return kernels_backward.apply(
                *(error, normalized, target, values, *how),
                *(*place[:-2], chunk, *place[-2:]),
            )

        peak = max(self._run(shape, work))
        self._memory.note(quantized, *step_sums.signed_range(bits))
        return quantized, peak

    # -- weights ---------------------------------------------------------------------------

    def greatest(self, w: Array) -> float:
        return self.plain.greatest(w)

    def deviation(self, w: Array) -> float:
        return self.plain.deviation(w)

    def quantize_weights(self, w: Array, bits: int, scale: float) -> Array:
        by = weights.weight_multiplier(scale)
        kind = self._operand or step_sums.signed_type(bits)
        quantized, target = self._memory.new_weights(w, kind)
        factor = (by.mantissa, *both_ways(by.shift, words.MASTER_BITS))
        source = self._memory.weights(w).reshape(-1)
        limits = step_sums.signed_range(bits)
        kernels_weights.quantize(source, target.reshape(-1), factor, *limits)
        self._memory.note(quantized, *limits)
        return quantized

    def update(
        self, w: Array, v: Array, sums: Array | None, rule: UpdateRule, key: Key
    ) -> tuple[Array, Array]:
        new_w, target_w = self._memory.new_weights(w, np.int64)
        new_v, target_v = self._memory.new_weights(v, np.int64)
        given = np.empty((0, 1), np.float32) if sums is None else self._memory.weights(sums)
        factors = [_factor(each) for each in (rule.gradient, rule.momentum, rule.decay, rule.rate)]
        kernels_weights.update(
            *(self._memory.weights(w), self._memory.weights(v), given, target_w, target_v),
            *(rule.before, *factors, *map(np.uint64, key)),
        )
        return new_w, new_v

    # -- how -------------------------------------------------------------------------------

    def _run(self, shape: tuple[int, ...], work: Callable[..., int]) -> list[int]:
        """``work`` of (block, wide, tile, turns, first, last) for the share of each thread."""
        walk = Walk.over(shape, turns=self._memory.turns)
        parts = shares(walk.blocks, walk.blocks * walk.block, self._threads())
        return run_shares(lambda *part: work(*walk.how, *part), parts)

    def _type_of(self, bits: int) -> type[np.generic]:
        """Of activations."""
        return self._operand or step_sums.unsigned_type(bits)

    def _none(self, kind: type[np.generic]) -> tuple[None, NDArray]:
        return None, np.empty(0, kind)


def _factor(by: Multiplier | None) -> tuple[int, int, int, int]:
    if by is None:
        return 0, 0, 0, 0
    return by.mantissa, *both_ways(by.shift, words.UPDATE_TERM_BITS)


def _fits(normalizations: Sequence[Normalization], residual: Residual | None) -> bool:
    """Whether z and its rounding have 32 bits: as they do, where G, B and ρ have theirs."""
    bound = 1 << (words.FORM_BITS - 2)
    for each in normalizations:
        bound += each.form.most * int(np.abs(each.term.factor).max())
        bound += int(np.abs(each.term.offset).max())
    if residual is not None:
        bits = words.MAX_RESIDUAL_BITS if residual.r.dtype.itemsize > 1 else 8
        bound += (abs(residual.factor) << bits >> residual.shift) + 1
    return bound < 1 << (words.FORM_WORD - 1)
