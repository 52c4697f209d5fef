"""What a machine with a vector unit is given for a step, and what it gives back.

Everything is named as in the step graph; where it lies in the machine's memory is the compiler's
matter. Fields are those of `hw.contract.records`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ScaleKey:
    """The scale record of ``part`` of an operation.

    =====================  ==========================================================
    operation              fields
    =====================  ==========================================================
    `Narrow`               narrow_shift
    `Form`                 residual_factor
    `Join`, part i         sums i: before, mantissa, shift; and stream_shift of stream 0
    `Join`, part n + j     stream j, of n sums: stream_shift
    `Apply`                gain_shift
    `QuantizeWeights`      mantissa, shift
    =====================  ==========================================================
    """

    operation: str
    part: int = 0


@dataclass(frozen=True)
class NormKey:
    """Batch norm number ``part`` of a `Form`: C norm records, in the order of the channels."""

    form: str
    part: int = 0


@dataclass(frozen=True)
class StepRecords:
    """All records of a step but that of the `Join` behind the pooling, whose exponent is the
    mini-batch's. What the step skips may be missing. ``updates``: by the name of the parameter."""

    scales: Mapping[ScaleKey, Mapping[str, int]] = field(default_factory=dict)
    norms: Mapping[NormKey, Mapping[str, Integers]] = field(default_factory=dict)
    updates: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class NormMoments:
    """Of one batch norm, ``[chunks, channels]``: Σy, n·Σy² − (Σy)², ΣE, Σ(E·x̂)."""

    total: Integers
    dispersion: Integers
    error_total: Integers
    error_product: Integers


@dataclass(frozen=True)
class StepResults:
    """What a step has left in memory. ``peaks``: of `Narrow`, `Form`, `Join`, `Apply`, by the
    operation's name, in the units of what is formed; ``moments``: by batch norm; ``weights``: of a
    parameter, greatest magnitude and Σs²; ``pooled``: Σr of images and channels, by the operation
    that made r. What the step skipped is missing."""

    peaks: Mapping[str, int]
    moments: Mapping[NormKey, NormMoments]
    weights: Mapping[str, tuple[int, int]]
    pooled: Mapping[str, Integers]
