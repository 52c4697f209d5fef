"""The values of an integer step's tensors, while it is carried out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fractrain.host.numerics.quantization import Quantized
from fractrain.hw.contract.normalized import Format
from fractrain.sim.golden.step.backward import ErrorMoments
from fractrain.sim.golden.step.forward import Moments, Normalizer

Array = Any


@dataclass(frozen=True)
class Narrowed:
    """y: a step is worth ``step``."""

    y: Array
    moments: Moments
    step: float


@dataclass(frozen=True)
class Activations(Quantized):
    """Activations or a residual, and the range ``extent`` that they were formed on."""

    extent: float = 0.0


@dataclass(frozen=True)
class Kept:
    """x̂ of the ``form``, and how it was normalized, of a y worth ``y_step`` a step."""

    x: Array
    form: Format
    by: Normalizer
    y_step: float


@dataclass(frozen=True)
class Errors:
    """E, worth 2^``exponent`` a step; ``moments`` with each x̂, None for a missing one."""

    e: Array
    exponent: int
    moments: tuple[ErrorMoments | None, ...] = ()


@dataclass(frozen=True)
class GradientSums:
    """The gradient of weights: ``sums`` worth ``scale`` each, of magnitude at most ``bound``."""

    sums: Array
    scale: float
    bound: int
