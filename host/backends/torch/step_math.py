"""A step's work around the convolutions, in PyTorch on any device.

The integers of `StepMath` in float64, which holds them all without rounding, as in
`host.numerics.fast_step_math`. y and E are int16, x̂ int8 or int16, r uint8 or int32, masks bool.
What convolutions take (activations, errors, weights) is float32, or bytes if it has at most 8 bits
and the backend multiplies those; its range is noted. Tensors are `channels_last`, and worked on as
[images, rows, several pixels of all channels]: rows long enough for PyTorch's loops, with the
numbers of the channels laid out along them. On a CPU a few images at a time stay in the cache.

Numbers of a channel (`Moments`, `Normalizer`, `Slopes`, `Term`) and peaks are the host's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.backends.torch.known import KnownRanges
from fractrain.host.backends.torch.random_bytes import random_bytes
from fractrain.host.backends.torch.step_views import (
    View,
    channels_last,
    half,
    reach,
    round_floats,
    round_integers,
    round_levels,
    scale_floats,
    scale_integers,
    to_host,
)
from fractrain.host.numerics import step_sums
from fractrain.host.numerics.fast_step_math import Affine, present, reciprocal_roots
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
from fractrain.sim.golden.step import backward, forward, weights
from fractrain.sim.golden.step.backward import ErrorMoments, Slopes
from fractrain.sim.golden.step.forward import Mix, Moments, Normalizer
from fractrain.sim.golden.step.rounding import LARGEST_SHIFT
from fractrain.sim.golden.step.scales import Multiplier, activation_levels
from fractrain.sim.golden.step.weights import UpdateRule

Tensor = Any

NARROW = (1 << (words.NARROW_BITS - 1)) - 1


class TorchStepMath(StepMath):
    """The work on tensors of ``device``; ranges of operands go to ``known``. ``in_bytes``: operands
    of up to 8 bits are bytes."""

    def __init__(self, device: Any, known: KnownRanges, *, in_bytes: bool = False) -> None:
        self._device, self._known, self._in_bytes = device, known, in_bytes

    def from_host(self, array: NDArray) -> Tensor:
        """A copy on the device, of the same type; [N,C,H,W] as `channels_last`."""
        import torch

        tensor = torch.tensor(np.ascontiguousarray(array), device=self._device)
        return channels_last(tensor) if tensor.ndim == 4 else tensor

    def to_host(self, array: Tensor) -> NDArray:
        found: NDArray = array.detach().cpu().numpy()
        return found

    def normalizer(self, found: Moments, running: Mix | None = None) -> Normalizer:
        return forward.normalizer(found, running, reciprocal_roots)

    def peak(self, sums: Tensor) -> int:
        return reach(sums)

    # -- forward ---------------------------------------------------------------------------

    def narrow(self, sums: Tensor, shift: int, chunk: int) -> tuple[Tensor, Moments, int]:
        import torch

        view = View(sums.shape, self._device)
        y = self._empty(sums, torch.int16)
        source, target = view.rows(sums), view.rows(y)

        def work(part: slice) -> tuple[int, Tensor, Tensor]:
            peak = reach(source[part])
            v = _narrow(source[part], shift)
            target[part] = v
            return peak, view.sum(v), view.sum(v.square_())

        peaks, totals, squares = zip(*view.run(work), strict=True)
        found = step_sums.moments(to_host(totals), to_host(squares), view.pixels, chunk)
        return y, found, max(peaks)

    def form(
        self,
        normalizations: Sequence[Normalization],
        residual: Residual | None,
        chunk: int,
        wanted: Wanted,
    ) -> Formed:
        import torch

        bits, residual_bits = wanted.bits, wanted.residual_bits
        rectify, activations, stream = wanted.rectify, wanted.activations, wanted.stream
        like = normalizations[0].y if normalizations else present(residual).r
        view = View(like.shape, self._device)
        kept = [
            None if each.kept is None else self._empty(like, _signed(each.kept.bits))
            for each in normalizations
        ]
        mask = self._empty(like, torch.bool) if rectify else None
        a = self._empty(like, self._operand(bits, torch.uint8)) if activations else None
        r = self._empty(like, _unsigned(residual_bits)) if stream else None
        parts = [
            _Part(view, each, keep, chunk) for each, keep in zip(normalizations, kept, strict=True)
        ]
        positive, activated, carried = (
            None if each is None else view.rows(each) for each in (mask, a, r)
        )
        around = None if residual is None else view.rows(residual.r)

        def work(part: slice) -> Tensor:
            terms = [each.term(part) for each in parts]
            if residual is not None and around is not None:
                v = around[part].double().mul_(float(residual.factor))
                terms.append(round_floats(v, 2.0**-residual.shift))
            z = sum(terms[1:], terms[0])
            if positive is not None:
                positive[part] = z.clamp(0, 1)  # twice as fast as a comparison
            if activated is not None:
                activated[part] = round_levels(z, bits)
            if carried is not None:
                carried[part] = round_levels(z, residual_bits)
            return z.amax()

        peak = int(torch.stack(view.run(work)).amax())
        if a is not None:
            self._known.note(a, 0, activation_levels(bits))
        normalized = tuple(each for each in kept if each is not None)
        return Formed(normalized, mask, a, r, peak)

    def pool(self, r: Tensor) -> NDArray[np.int64]:
        import torch

        found: NDArray[np.int64] = r.sum(dim=(2, 3), dtype=torch.int64).cpu().numpy()
        return found

    # -- backward --------------------------------------------------------------------------

    def join(
        self,
        sums: Sequence[Sums],
        streams: Sequence[Stream],
        mask: Tensor | None,
        kept: Sequence[Tensor],
        chunk: int,
    ) -> tuple[Tensor, list[ErrorMoments], int]:
        import torch

        like = sums[0].sums if sums else streams[0].e
        view = View(like.shape, self._device)
        e = self._empty(like, torch.int16)
        parts = [(view.rows(each.sums), each) for each in sums]
        around = [(view.rows(each.e), each) for each in streams]
        positive = None if mask is None else view.rows(mask)
        normalized = [view.rows(each) for each in kept]
        target = view.rows(e)

        def work(part: slice) -> tuple[int, list[Tensor]]:
            scaled = [_scale(rows[part], each) for rows, each in parts]
            scaled += [
                scale_floats(rows[part].double(), 1, each.shift, words.JOIN_BITS)
                for rows, each in around
            ]
            total = scaled[0]
            for each in scaled[1:]:
                total += each
            if positive is not None:
                total.mul_(positive[part].view(torch.uint8).double())
            peak = reach(total)
            target[part] = total.clamp_(-NARROW - 1, NARROW)
            products = [x[part].double().mul_(total) for x in normalized]
            return peak, [view.sum(each) for each in (total, *products)]

        peaks, totals = zip(*view.run(work), strict=True)
        whole = [to_host(each) for each in zip(*totals, strict=True)]
        moments = [step_sums.error_moments(whole[0], x, view.pixels, chunk) for x in whole[1:]]
        return e, moments, max(peaks)

    def apply(
        self, e: Tensor, x: Tensor, by: Slopes, chunk: int, bits: int, key: Key
    ) -> tuple[Tensor, int]:
        import torch

        view = View(e.shape, self._device)
        quantized = self._empty(e, self._operand(bits, torch.int8))
        a, b, mean = (
            view.spread(each, chunk)
            for each in (by.a << words.MEAN_FRACTION, by.b << by.lift, -by.mean * by.a)
        )
        error, normalized, target = (view.rows(each) for each in (e, x, quantized))
        fraction, limits = backward.fraction(bits), step_sums.signed_range(bits)
        offset = half() * 2.0**-words.RANDOM_BITS
        random = random_bytes(key, len(e), view.channels, view.pixels, self._device)

        def work(part: slice) -> int:
            w = torch.addcmul(mean[part], error[part].double(), a[part])
            w.addcmul_(normalized[part].double(), b[part])
            peak = reach(w)
            noise = view.turn(random[part]).double()
            torch.add(noise, w, alpha=2.0 ** (words.RANDOM_BITS - fraction), out=w)
            torch.add(offset, w, alpha=2.0**-words.RANDOM_BITS, out=w)
            target[part] = w.floor_().clamp_(*limits)
            return peak

        peak = max(view.run(work))
        self._known.note(quantized, *limits)
        return quantized, peak

    # -- weights ---------------------------------------------------------------------------

    def greatest(self, w: Tensor) -> float:
        return reach(w) * weights.WEIGHT_STEP

    def deviation(self, w: Tensor) -> float:
        short = scale_integers(w, words.SQUARED_SHIFT, words.SQUARED_BITS)
        return weights.deviation_of(int((short * short).sum()), w.numel())

    def quantize_weights(self, w: Tensor, bits: int, scale: float) -> Tensor:
        import torch

        by, limits = weights.weight_multiplier(scale), step_sums.signed_range(bits)
        rounded = scale_integers(w * by.mantissa, by.shift, words.MASTER_BITS)
        kind = self._operand(bits, torch.int8)
        quantized = channels_last(rounded.clamp_(*limits).to(kind))
        self._known.note(quantized, *limits)
        return quantized

    def update(
        self, w: Tensor, v: Tensor, sums: Tensor | None, rule: UpdateRule, key: Key
    ) -> tuple[Tensor, Tensor]:
        import torch

        total = _term(v, rule.momentum) + _term(w, rule.decay)
        if sums is not None:
            total += _term(round_integers(sums.to(torch.int64), rule.before), rule.gradient)
        v = scale_integers(total, 0, words.MASTER_BITS)
        by = rule.rate
        if by is None or by.shift <= words.RANDOM_BITS:
            moved = _term(v, by)
        else:
            filters, shift = w.shape[0], min(by.shift, LARGEST_SHIFT)
            noise = random_bytes(key, 1, filters, w.numel() // filters, self._device)
            noise = 2 * noise.to(torch.int64).reshape(w.shape) + 1
            moved = (v * by.mantissa + (noise << (shift - words.RANDOM_BITS - 1))) >> shift
            moved = scale_integers(moved, 0, words.UPDATE_TERM_BITS)
        return scale_integers(w - moved, 0, words.MASTER_BITS), v

    def _operand(self, bits: int, of_bytes: Any) -> Any:
        """The type of an operand of convolutions."""
        import torch

        return of_bytes if self._in_bytes and bits <= 8 else torch.float32

    def _empty(self, like: Tensor, kind: Any) -> Tensor:
        import torch

        return torch.empty(
            like.shape, dtype=kind, device=self._device, memory_format=torch.channels_last
        )


class _Part:
    """A normalization, with its numbers along rows."""

    def __init__(self, view: View, of: Normalization, kept: Tensor | None, chunk: int) -> None:
        affine = Affine(of)
        self._of, self._limits = of, affine.limits
        self._y = view.rows(of.y)
        self._kept = None if kept is None else view.rows(kept)
        self._factor = view.spread(affine.factor, chunk)
        self._offset = view.spread(affine.offset, chunk)
        self._term = [view.lay(each[None]) for each in (of.term.factor, of.term.offset)]

    def term(self, part: slice) -> Tensor:
        """G·x̂ + B of some images; their x̂ is kept if asked for."""
        import torch

        x = torch.addcmul(self._offset[part], self._y[part].double(), self._factor[part])
        x.floor_().clamp_(*self._limits)
        if self._kept is not None:
            self._kept[part] = self._fewer(x)
        return torch.addcmul(self._term[1], x, self._term[0])

    def _fewer(self, x: Tensor) -> Tensor:
        """`sim.golden.step.forward.keep`."""
        kept = self._of.kept
        if kept is None or kept == self._of.form:
            return x
        found = round_floats(x.clone(), 2.0 ** (kept.fraction - self._of.form.fraction))
        return found.clamp_(-kept.most, kept.most)


def _narrow(sums: Tensor, shift: int) -> Tensor:
    """`sim.golden.step.forward.narrow`, float64."""
    import torch

    if sums.dtype == torch.int64:  # may have more bits than float64 holds
        return scale_integers(sums, shift, words.NARROW_BITS).double()
    return scale_floats(sums.double(), 1, shift, words.NARROW_BITS)


def _scale(rows: Tensor, of: Sums) -> Tensor:
    """`sim.golden.step.backward.scale_sums`, float64."""
    v = rows.double()
    if of.before:
        round_floats(v, 2.0**-of.before)
    return scale_floats(v, of.by.mantissa, of.by.shift, words.JOIN_BITS)


def _term(x: Tensor, by: Multiplier | None) -> Tensor:
    """A term of an update, int64."""
    if by is None:
        return x * 0
    return scale_integers(x * by.mantissa, by.shift, words.UPDATE_TERM_BITS)


def _signed(bits: int) -> Any:
    import torch

    return torch.int8 if bits <= 8 else torch.int16


def _unsigned(bits: int) -> Any:
    import torch

    return torch.uint8 if bits <= 8 else torch.int32
