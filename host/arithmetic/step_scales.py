"""What the integers of a step are worth, and the factors between them: from ranges, bits and
parameters, without any element.

docs/numerics.md has the formulas. Kernels, which have the elements, and the records of a machine
that computes them itself (`host.machine_step`) get their numbers here. Extents are real numbers:
the greatest magnitude of a tensor in the last step, or a bound. As in `sim.golden.step.scales`, a
`Number` of a tensor may be an array of those of several tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fractrain.host.graph import operations as ops
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.operations import width
from fractrain.host.graph.tensor import Tensor
from fractrain.host.numerics.quantization import CLIPPING, Array, Quantized, WeightLevels
from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.normalized import WIDE, Format
from fractrain.hw.contract.precision import Precision
from fractrain.sim.golden.step import backward, forward
from fractrain.sim.golden.step.backward import Gain
from fractrain.sim.golden.step.scales import (
    Multiplier,
    Number,
    Reals,
    activation_levels,
    clamp,
    exponent,
    multiplier,
    narrow_shift,
    power,
    signed_levels,
)


class Known(Protocol):
    """What is known of a step's tensors: those of a run, or what they are worth only.

    ``table``: the precision of every slot.
    """

    @property
    def table(self) -> Sequence[Precision]: ...

    def value(self, tensor: Tensor) -> Any:
        """Of a tensor that there is; a parameter's too."""
        ...

    def optional(self, tensor: Tensor | None) -> Any:
        """Of a tensor that may be missing: then None."""
        ...


def sums_unit(known: Known, row: Tensor, column: Tensor) -> float:
    """The real value of one of the sums of two operands."""
    unit: float = known.value(row).scale * known.value(column).scale
    return unit


# -- operands --------------------------------------------------------------------------------


def pixel_values(integers: Array, bits: int, image_bits: int, scale: float) -> Quantized:
    """The top ``bits`` of pixels of ``image_bits``, one step of which is worth ``scale``."""
    kept = min(image_bits, bits)
    return Quantized(integers, float(scale) * (1 << (image_bits - kept)), kept)


def top_scale(scale: Number, stored_bits: int, bits: Number) -> Number:
    """A step of the top ``bits`` bits of a tensor with ``stored_bits`` worth ``scale``."""
    return scale * (1 << (stored_bits - bits))


def weights_extent(
    clipping: Number | None,
    greatest: Callable[[], Number],
    deviation: Callable[[], Number],
) -> Number:
    """What weights reach: max|w| = ``greatest``, or ``clipping`` times σ = ``deviation``."""
    return greatest() if clipping is None else clipping * deviation()


def weights_clipping(levels: WeightLevels, bits: int) -> float | None:
    """c of `weights_extent`; None: weights are not clipped."""
    return CLIPPING[bits] if levels.at(bits) is WeightLevels.CLIP else None


# -- forward ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class NarrowScale:
    """y = sums · 2^−``shift``, of sums worth ``unit`` each; a step of y is worth ``step``."""

    shift: Number
    unit: Number

    @classmethod
    def of(cls, extent: Number, unit: Number) -> NarrowScale:
        """Where the greatest sum is ``extent``."""
        return cls(narrow_shift(extent / unit), unit)

    @property
    def step(self) -> Number:
        return self.unit * power(self.shift)

    def magnitude(self, peak: Number) -> Number:
        """Of the greatest |sums| ``peak``."""
        return peak * self.unit


@dataclass(frozen=True)
class FormScale:
    """z where activations of ``bits`` bits, and a residual of ``residual_bits``, reach ``extent``.
    A step of z is worth ``unit``."""

    extent: Number
    bits: Number
    residual_bits: int

    @property
    def unit(self) -> Number:
        return forward.unit_of_z(self.extent, self.bits)

    @property
    def activation_scale(self) -> Number:
        """Of a step of activations."""
        return clamp(self.extent) / activation_levels(self.bits)

    @property
    def residual_scale(self) -> Number:
        """Of a step of the residual."""
        return forward.residual_scale(self.extent, self.bits, self.residual_bits)

    @property
    def residual_shift(self) -> int:
        """t."""
        return forward.residual_shift(self.residual_bits)

    def residual_factor(self, scale: Number) -> Number:
        """ρ of an earlier residual worth ``scale`` a step."""
        return forward.residual_factor(scale, self.unit, self.residual_bits)

    def magnitude(self, peak: Number) -> Number:
        """Of the greatest z ``peak``; what is nowhere above zero has none."""
        return np.maximum(peak, 0) * self.unit if _many(peak) else max(peak, 0) * self.unit


def form_bits(step: ops.Form, table: Sequence[Precision]) -> int:
    """Of the activations that z is made for."""
    return width(step.bits, table) or words.MAX_ACTIVATION_BITS


def form_parts(known: Known, step: ops.Form) -> list[int]:
    """Places of the batch norms that are not skipped."""
    return [place for place, y in enumerate(step.ys) if known.optional(y) is not None]


def kept_form(
    step: ops.Form, place: int, table: Sequence[Precision], options: IntegerOptions
) -> Format:
    """Of x̂ for the way back."""
    activation = table[step.slots[place]].activation
    return options.kept_format(activation, inner=step.inner)


def formed_from(step: ops.Form, kept: Format) -> Format:
    """Of x̂ that z is formed from, beside what is ``kept``."""
    return kept if step.inner else WIDE


# -- backward --------------------------------------------------------------------------------


@dataclass(frozen=True)
class JoinScale:
    """E counts in 2^``exponent``."""

    exponent: Number

    @classmethod
    def of(cls, extent: Number) -> JoinScale:
        """Where the greatest |Σ parts| is ``extent``."""
        return cls(exponent(extent))

    def multiplier(self, unit: Number, before: Number) -> Multiplier:
        """Of sums worth ``unit`` each, behind a shift by ``before``."""
        return multiplier(unit * power(before) / power(self.exponent))

    def stream_shift(self, exponent: Number) -> Number:
        """Of an E that counts in 2^``exponent``."""
        return self.exponent - exponent

    def magnitude(self, peak: Number) -> Number:
        """Of the greatest |Σ parts| ``peak``."""
        return peak * power(self.exponent)


def sums_before(known: Known, row: Tensor, column: Tensor, depth: int) -> int:
    """The shift k₀ before the multiplication of an error's sums, by the bits of both operands."""
    errors, weights = signed_levels(known.value(row).bits), signed_levels(known.value(column).bits)
    return backward.preshift(depth * errors * weights)


@dataclass(frozen=True)
class ApplyScale:
    """Quantized errors of ``bits`` bits, worth ``scale`` a step."""

    scale: Number
    bits: Number

    @classmethod
    def of(cls, extent: Number, bits: Number) -> ApplyScale:
        """Where they reach ``extent``."""
        return cls(clamp(extent) / signed_levels(bits), bits)

    def gain(self, gamma: Reals, exponent: int, y_step: float) -> Gain:
        """γC, of E in 2^``exponent`` and y worth ``y_step`` a step."""
        return backward.gain(gamma, power(exponent), y_step, self.scale, self.bits)

    def gain_factor(self, exponent: Number, y_step: Number) -> Number:
        """C alone."""
        return backward.gain_factor(power(exponent), y_step, self.scale, self.bits)

    def magnitude(self, peak: Number) -> Number:
        """Of the greatest |W| ``peak``."""
        return peak * self.scale * power(-backward.fraction(self.bits))


def gradient_bound(known: Known, step: ops.AddSums) -> int:
    """What the sums of a gradient never exceed."""
    row, column = known.value(step.row), known.value(step.column)
    bound: int = step.depth * ((1 << row.bits) - 1) * signed_levels(column.bits)
    return bound


def spread_errors(e: Reals, pixels: int) -> tuple[Any, int]:
    """E = round(e / pixels / 2^k) of the error ``e[N,C]`` at pooled sums, and k by the greatest."""
    each = e / pixels
    k = exponent(float(np.max(np.abs(each))))
    return np.floor(each * 2.0**-k + 0.5).astype(np.int64), k


def _many(number: Number) -> bool:
    return isinstance(number, np.ndarray)
