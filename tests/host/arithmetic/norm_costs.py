"""What the words around one batch norm cost, against the same in float64.

Each figure is of one batch norm of one step: of its y and its E as the step had them, so that all
that differs is the format of x̂, the rounding behind it, and the words of the factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.normalized import WIDE, Format
from fractrain.sim.golden.step import backward, forward
from fractrain.sim.golden.step.chunks import starts
from fractrain.sim.golden.step.forward import Normalizer
from fractrain.sim.golden.step.scales import activation_levels, clamp, signed_levels
from tests.sim.golden.step import float_norm

Integers = NDArray[np.int64]
Reals = NDArray[np.float64]


def relative(found: Any, truth: Any) -> float:
    """|found − truth| / |truth|, by the sum of squares; ``truth`` is not zero everywhere."""
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


def reach(form: Format) -> int:
    """Deviations that x̂ of this form reaches."""
    return 1 << (form.bits - form.fraction - 1)


@dataclass(frozen=True)
class Norm:
    """A batch norm, as a step had it. ``y[N,C,H,W]``, worth ``y_step`` a step, in chunks of
    ``chunk`` images, normalized ``by`` their statistics; x̂ was kept in ``form``; γ and β, [C].
    Behind it the error ``e[N,C,H,W]``, worth ``e_step`` a step; before it errors that are quantized
    over the range ``extent``."""

    name: str
    y: Integers
    chunk: int
    by: Normalizer
    y_step: float
    form: Format
    gamma: Reals
    beta: Reals
    e: Integers
    e_step: float
    extent: float

    @property
    def stage(self) -> str:
        """The part of the network that it is in."""
        return self.name.split(".")[0]

    def _chunks(self) -> list[slice]:
        return [slice(start, start + self.chunk) for start in starts(len(self.y), self.chunk)]

    # -- forward ---------------------------------------------------------------------------

    def deviations(self) -> Reals:
        """|x̂|, exact, in σ."""
        ones, zeros = np.ones_like(self.gamma), np.zeros_like(self.gamma)
        return np.concatenate(
            [np.abs(float_norm.forward(self.y[each], ones, zeros)) for each in self._chunks()]
        )

    def rectified(self) -> Reals:
        """max(γ·x̂ + β, 0), exact."""
        found = [float_norm.forward(self.y[each], self.gamma, self.beta) for each in self._chunks()]
        return np.maximum(np.concatenate(found), 0)

    def activations(self, form: Format, bits: int) -> Reals:
        """What ``bits``-bit activations say of the same, x̂ being of ``form``; their range is their
        own greatest z."""
        x = forward.normalize(self.y, self.by, form, self.chunk)
        shape = (1, -1, 1, 1)
        real = self.gamma.reshape(shape) * x * 2.0**-form.fraction + self.beta.reshape(shape)
        extent = clamp(real.max())
        unit = forward.unit_of_z(extent, bits)
        z = forward.form([(x, forward.term(self.gamma, self.beta, form, unit))])
        return forward.round_activations(z, bits) * (extent / activation_levels(bits))

    def activations_error(self, form: Format, bits: int) -> float:
        """`relative` error of the activations."""
        return relative(self.activations(form, bits), self.rectified())

    # -- back ------------------------------------------------------------------------------

    def error(self) -> Reals:
        """dx = γ/σ · (E − ΣE/n − x̂·Σ(E·x̂)/n), exact, in the real value of the sums."""
        found = [float_norm.back(self.y[each], self.e[each], self.gamma) for each in self._chunks()]
        return np.concatenate(found) * (self.e_step / self.y_step)

    def kept(self, form: Format) -> Integers:
        """x̂ for the way back: inside a block as z is formed from it, at its end from the wide
        one."""
        if reach(form) == reach(WIDE):
            return forward.normalize(self.y, self.by, form, self.chunk)
        return forward.keep(forward.normalize(self.y, self.by, WIDE, self.chunk), form)

    def slopes(self, form: Format, bits: int) -> backward.Slopes:
        """The factors of the way back to errors of ``bits`` bits."""
        moments = backward.error_moments(self.e, self.kept(form), self.chunk)
        scale = clamp(self.extent) / signed_levels(bits)
        gains = backward.gain(self.gamma, self.e_step, self.y_step, scale, bits)
        return backward.slopes(moments, self.by, gains, form)

    def wide_error(self, form: Format, bits: int) -> Integers:
        """W, in 2^−F of a step of errors of ``bits`` bits."""
        return backward.apply(self.e, self.kept(form), self.slopes(form, bits), self.chunk)

    def error_error(self, form: Format, bits: int = 8) -> float:
        """`relative` error of dx before rounding."""
        step = clamp(self.extent) / signed_levels(bits) * 2.0 ** -backward.fraction(bits)
        return relative(self.wide_error(form, bits) * step, self.error())

    def rounding_error(self, bits: int, seed: int) -> float:
        """What rounding at random adds: `relative` error of errors of ``bits`` bits to W."""
        wide = self.wide_error(self.form, bits)
        random = np.random.default_rng(seed).integers(0, 256, wide.shape, np.uint8)
        rounded = backward.round_errors(wide, bits, random)
        return relative(rounded, wide * 2.0 ** -backward.fraction(bits))

    def saturation(self, bits: int) -> tuple[float, float]:
        """The greatest |A| and |B̄| of errors of ``bits`` bits, as shares of what saturates."""
        by = self.slopes(self.form, bits)
        most = 1 << (words.FACTOR_BITS - 1), 1 << (words.SLOPE_BITS - 1)
        return float(np.abs(by.a).max() / most[0]), float(np.abs(by.b).max() / most[1])
