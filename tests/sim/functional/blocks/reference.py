"""A residual block forward and back with its update, by `sim.golden`, on scales of its own ranges.

What the host gives the machine (`records`) is made as `host.execution.kernels.integers` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.normalized import WIDE, Format, KeptBits
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.random_bits import rounding_key
from fractrain.hw.contract.records import clip_shift
from fractrain.sim.golden import convolution
from fractrain.sim.golden.random_bits import random_bytes
from fractrain.sim.golden.step import backward, forward, weights
from fractrain.sim.golden.step.backward import ErrorMoments, Gain
from fractrain.sim.golden.step.forward import Moments, Normalizer, Term
from fractrain.sim.golden.step.scales import (
    activation_levels,
    exponent,
    multiplier,
    narrow_shift,
    signed_levels,
)
from fractrain.sim.golden.step.weights import UpdateRule

BLOCK, OTHERS, NEXT, BEFORE = 1, 0, 2, 3
"""Slots: of the block, of shortcuts, of the block behind, of the block before."""

SEED, STEP = 11, 5
NUMBERS = {"first": 3, "second": 4, "shortcut": 5}
"""Of the errors among the tensors that are rounded at random."""


@dataclass(frozen=True)
class Case:
    """A block: of ``images`` in chunks of ``chunk``."""

    images: int
    chunk: int
    channels: int
    filters: int
    size: tuple[int, int]
    stride: int
    table: tuple[Precision, ...]
    kept: tuple[KeptBits, ...]
    residual_bits: int = 8
    seed: int = 0

    @property
    def shortcut(self) -> bool:
        return self.stride != 1 or self.channels != self.filters

    @property
    def skipped(self) -> bool:
        return self.table[BLOCK].activation == 0

    def geometry(self, name: str, images: int = 0) -> Geometry:
        """Of a convolution, of the whole batch or of so many images."""
        images = images or self.images
        if name == "second":
            size = self.geometry("first").output
            return Geometry(images, self.filters, self.filters, size, (3, 3), 1, 1)
        side, padding = (3, 1) if name == "first" else (1, 0)
        shape = self.channels, self.filters, self.size, (side, side), self.stride, padding
        return Geometry(images, *shape)

    @property
    def names(self) -> list[str]:
        """The convolutions in the order of the forward half."""
        return ["first", "second", *(["shortcut"] if self.shortcut else [])]

    def slot(self, name: str) -> int:
        return OTHERS if name == "shortcut" else BLOCK

    def runs(self, name: str) -> bool:
        return not self.skipped or name == "shortcut"


@dataclass
class Layer:
    """A convolution with its batch norm, and all that golden makes of it."""

    w: Any
    v: Any
    gamma: Any
    beta: Any
    rule: UpdateRule
    q: Any = None
    scale: float = 1.0
    sums: Any = None
    peak: int = 0
    y_step: float = 1.0
    y: Any = None
    moments: Moments | None = None
    by: Normalizer | None = None
    x: Any = None
    kept: Any = None
    form: Format = WIDE
    term: Term | None = None
    gains: Gain | None = None
    error_moments: ErrorMoments | None = None
    wide: Any = None
    e: Any = None
    e_scale: float = 1.0
    gradient: Any = None
    records: dict[str, Any] = field(default_factory=dict)


class Reference:
    """The whole of a case. ``layers`` by name; ``peaks`` of z, E and W by name."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.rng = np.random.default_rng(case.seed)
        self.layers = {name: self._layer(case.geometry(name)) for name in case.names}
        self.scales: dict[str, dict[str, int]] = {}
        self.peaks: dict[str, int] = {}
        self._inputs()
        self._forward()
        self._backward()
        self._update()

    # -- what is given ---------------------------------------------------------------------

    def _layer(self, g: Geometry) -> Layer:
        rng, filters = self.rng, g.filters
        w = weights.to_master(rng.normal(size=g.weights) * 0.3)
        v = rng.integers(-(1 << 24), 1 << 24, g.weights)
        rule = weights.update_rule(1e-6, 1 << 40, momentum=0.9, decay=1e-4, rate=0.1)
        gamma, beta = rng.normal(1, 0.4, filters), rng.normal(0, 0.3, filters)
        return Layer(w, v, gamma, beta, rule)

    def _inputs(self) -> None:
        """r, activations at the bits of the block, x̂ and mask of the block before; E behind."""
        case, rng = self.case, self.rng
        size = (case.images, case.channels, *case.size)
        bits = case.table[BLOCK].activation or 8
        self.r_in = rng.integers(0, 1 << case.residual_bits, size)
        self.a_in = rng.integers(0, 1 << bits, size)
        most = case.kept[BEFORE].format(end=True).most
        self.x_in = rng.integers(-most, most + 1, size)
        self.mask_in = rng.integers(0, 2, size)
        geometry = case.geometry("second")
        self.e_out = rng.integers(-(1 << 14), 1 << 14, geometry.errors)
        self.a_scale, self.r_scale, self.k_out = 0.011, 0.017, -9

    # -- forward ---------------------------------------------------------------------------

    def _forward(self) -> None:
        case, first = self.case, self.layers["first"]
        self.a2 = self.mask1 = None
        if not case.skipped:
            self._convolve("first", self.a_in, self.a_scale)
            self.a2, self.mask1 = self._inside(first)
            self._convolve("second", self.a2, self.a2_scale)
        if case.shortcut:
            top = self.r_in >> (case.residual_bits - 8)
            step = self.r_scale * 2.0 ** (case.residual_bits - 8)
            self._convolve("shortcut", top, step)
        self._end()

    def _convolve(self, name: str, a: Any, a_scale: float) -> None:
        """Quantized weights, sums, y, statistics."""
        case, layer, g = self.case, self.layers[name], self.case.geometry(name)
        bits = case.table[case.slot(name)]
        layer.scale = weights.weight_scale(weights.greatest(layer.w), bits.weight)
        layer.q = weights.quantize_weights(layer.w, bits.weight, layer.scale)
        layer.sums = convolution.forward(
            a, layer.q, bits=(8, 8), stride=g.stride, padding=g.padding
        )
        layer.peak = int(np.abs(layer.sums).max())
        shift = narrow_shift(layer.peak * self.rng.uniform(0.2, 1.5))
        layer.y_step = a_scale * layer.scale * 2.0**shift
        layer.y = forward.narrow(layer.sums, shift)
        layer.moments = forward.moments(layer.y, case.chunk)
        layer.by = forward.normalizer(layer.moments)
        by = multiplier(weights.WEIGHT_STEP / layer.scale)
        self.scales[f"{name} weights"] = {
            "mantissa": by.mantissa,
            "shift": clip_shift(by.shift),
        }
        self.scales[f"{name} y"] = {"narrow_shift": clip_shift(shift)}

    def _inside(self, layer: Layer) -> tuple[Any, Any]:
        """Activations and mask between the convolutions."""
        case = self.case
        bits = case.table[BLOCK].activation
        layer.form = case.kept[BLOCK].format(end=False)
        assert layer.by is not None
        layer.x = layer.kept = forward.normalize(layer.y, layer.by, layer.form, case.chunk)
        extent = self._extent([layer], None)
        unit = forward.unit_of_z(extent, bits)
        layer.term = forward.term(layer.gamma, layer.beta, layer.form, unit)
        z = forward.form([(layer.x, layer.term)])
        self.peaks["inside"] = max(int(z.max()), 0)
        self.a2_scale = extent / activation_levels(bits)
        return forward.round_activations(z, bits), (z > 0).astype(np.int64)

    def _extent(self, layers: list[Layer], residual: Any) -> float:
        """About the greatest z, so that some saturate."""
        total = 0.0 if residual is None else float(residual.max()) * self.r_scale
        for each in layers:
            total += float(np.max(np.abs(each.gamma) * 2.2 + np.abs(each.beta)))
        return total * self.rng.uniform(0.5, 1.2)

    def _end(self) -> None:
        """z at the block's end: r and activations for the next, mask."""
        case = self.case
        parts = [name for name in ("second", "shortcut") if name in case.names and case.runs(name)]
        layers = [self.layers[name] for name in parts]
        self.bits_out = case.table[NEXT].activation
        extent = self._extent(layers, None if case.shortcut else self.r_in)
        unit = forward.unit_of_z(extent, self.bits_out or 8)
        terms = []
        for name, layer in zip(parts, layers, strict=True):
            assert layer.by is not None
            layer.form = case.kept[case.slot(name)].format(end=True)
            layer.x = forward.normalize(layer.y, layer.by, WIDE, case.chunk)
            layer.kept = forward.keep(layer.x, layer.form)
            layer.term = forward.term(layer.gamma, layer.beta, WIDE, unit)
            terms.append((layer.x, layer.term))
        residual, c = None, case.residual_bits
        factor = forward.residual_factor(self.r_scale, unit, c)
        self.scales["form"] = {"residual_factor": factor}
        if not case.shortcut:
            residual = self.r_in, factor, forward.residual_shift(c)
        z = forward.form(terms, residual)
        self.mask2 = (z > 0).astype(np.int64)
        self.r_out = forward.round_activations(z, c) if parts else self.r_in
        self.a_out = forward.round_activations(z, self.bits_out) if self.bits_out else None
        self.peaks["end"] = max(int(z.max()), 0) if parts else 0

    # -- backward --------------------------------------------------------------------------

    def _backward(self) -> None:
        case = self.case
        masked = case.shortcut or not case.skipped
        k = exponent(float(np.abs(self.e_out).max()) * 2.0**self.k_out * self.rng.uniform(0.5, 2))
        self.scales["behind"] = {"stream_shift": clip_shift(k - self.k_out)}
        total = backward.move(self.e_out, k - self.k_out)
        self.e2 = self._joined("behind", total * self.mask2 if masked else total)
        self.k2 = k
        for name in ("second", "shortcut"):
            if name in case.names and case.runs(name):
                self._apply(name, self.e2, k)
        if not case.skipped:
            self._gradient("second", self.a2)
            sums = self._error("second", case.geometry("second").size)
            k1, part = self._part("inside", "second", sums)
            assert self.mask1 is not None
            self.e1 = self._joined("inside", part * self.mask1)
            self._apply("first", self.e1, k1)
            self._gradient("first", self.a_in)
        if case.shortcut:
            self._gradient("shortcut", self.r_in >> (case.residual_bits - 8))
        self._before()

    def _joined(self, name: str, total: Any) -> Any:
        self.peaks[f"E {name}"] = int(np.abs(total).max())
        return backward.join([total])

    def _error(self, name: str, size: tuple[int, int]) -> Any:
        g, layer = self.case.geometry(name), self.layers[name]
        return convolution.error(
            layer.e, layer.q, bits=(12, 8), stride=g.stride, padding=g.padding, input_size=size
        )

    def _part(self, name: str, layer_name: str, sums: Any, k: int | None = None) -> tuple[int, Any]:
        """The part of a convolution in steps of 2^k, k by its own range unless it is given."""
        case, layer = self.case, self.layers[layer_name]
        g, bits = case.geometry(layer_name), case.table[case.slot(layer_name)]
        depth = g.filters * g.kernel[0] * g.kernel[1]
        bound = depth * signed_levels(bits.error) * signed_levels(bits.weight)
        before = backward.preshift(bound)
        unit = layer.e_scale * layer.scale
        if k is None:
            k = exponent(float(np.abs(sums).max()) * unit * self.rng.uniform(0.3, 2))
        by = multiplier(unit * 2.0**before / 2.0**k)
        self.scales[name] = {
            "before": before,
            "mantissa": by.mantissa,
            "shift": clip_shift(by.shift),
        }
        return k, backward.scale_sums(sums, before, by)

    def _apply(self, name: str, e: Any, k: int) -> None:
        case, layer = self.case, self.layers[name]
        bits = case.table[case.slot(name)].error
        layer.error_moments = backward.error_moments(e, layer.kept, case.chunk)
        assert layer.by is not None
        sigma = float(layer.by.reciprocal.max()) * 2.0**-22 / layer.y_step
        extent = float(np.abs(e).max()) * 2.0**k * sigma * float(np.abs(layer.gamma).max())
        layer.e_scale = max(extent, 1e-20) * self.rng.uniform(0.2, 1) / signed_levels(bits)
        layer.gains = backward.gain(layer.gamma, 2.0**k, layer.y_step, layer.e_scale, bits)
        by = backward.slopes(layer.error_moments, layer.by, layer.gains, layer.form)
        layer.wide = backward.apply(e, layer.kept, by, case.chunk)
        self.peaks[f"W {name}"] = int(np.abs(layer.wide).max())
        self.scales[f"{name} gain"] = {"gain_shift": clip_shift(layer.gains.shift)}
        images, channels, height, width = e.shape
        key = rounding_key(SEED, STEP, NUMBERS[name])
        random = random_bytes(key, images, channels, height * width).reshape(e.shape)
        layer.e = backward.round_errors(layer.wide, bits, random)

    def _gradient(self, name: str, a: Any) -> None:
        g, layer = self.case.geometry(name), self.layers[name]
        sizes = {"stride": g.stride, "padding": g.padding, "kernel_size": g.kernel}
        layer.gradient = convolution.gradient(a, layer.e, bits=(8, 12), **sizes)

    def _before(self) -> None:
        """E at the block's input, behind the mask of the block before."""
        case, parts, k = self.case, [], None
        if not case.skipped:
            k, part = self._part("before", "first", self._error("first", case.size))
            parts.append(part)
        if case.shortcut:
            sums = self._error("shortcut", case.size)
            k, part = self._part("before shortcut", "shortcut", sums, k)
            parts.append(part)
        else:
            k = self.k2 + 1 if k is None else k
            parts.append(backward.move(self.e2, k - self.k2))
            self.scales.setdefault("before", {})["stream_shift"] = clip_shift(k - self.k2)
        total = backward.total(parts)
        if case.table[BEFORE].activation:
            total = total * self.mask_in
        self.e_in = self._joined("before", total)
        self.moments_in = backward.error_moments(self.e_in, self.x_in, case.chunk)

    # -- update ----------------------------------------------------------------------------

    def _update(self) -> None:
        self.updated = {}
        for number, (name, layer) in enumerate(self.layers.items()):
            key = rounding_key(SEED, STEP, 1 << 15 | number)
            filters = len(layer.w)
            random = random_bytes(key, 1, filters, layer.w.size // filters).reshape(layer.w.shape)
            self.updated[name] = weights.update(
                layer.w, layer.v, layer.gradient, layer.rule, random
            )
