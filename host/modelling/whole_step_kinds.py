"""The kinds of host work around a whole step of a machine with a vector unit: numbers of channels
and of tensors, in float64 (`host.machine_step`)."""

from __future__ import annotations

from fractrain.host.modelling.host_kinds import Kind

RECORDS, AFTER = "records", "statistics, gradients"


def _reals(
    name: str,
    group: str,
    formula: str,
    operations: float,
    read: float,
    written: float,
    *calls: str,
    per: str,
) -> Kind:
    return Kind(name, group, formula, operations, read, written, calls, lane_bytes=8, per=per)


SCALE_RECORD = _reals(
    "record of a scale",
    RECORDS,
    "unit = s·s'; m·2^k = unit·2^b/2^E: exponent, mantissa, round, limits; step; packed",
    *(24, 24, 16),
    *("8>8",) * 12,
    *("88>8",) * 4,
    *("8>8",) * 8,
    per="record",
)
"""Two products, a quotient, 2^b and 2^E (2), frexp, mantissa and rounding (4), shift and limits
(4), the step and the range behind it (3); seven fields shifted and put together (8)."""
NORM_RECORD = _reals(
    "record of a channel",
    RECORDS,
    "G = γ/step, B = β/unit, γC = γ·f·2^k: rounded, limited; max|γC|; packed",
    *(22, 24, 16),
    *("8>8",) * 14,
    "8>",
    *("8>8",) * 7,
    per="channel of a batch norm",
)
"""Three products or quotients, ⌊x + ½⌋ (6) and limits (6) of each, the magnitude and its maximum
(2); three fields shifted and put together (5)."""
UPDATE_RECORD = _reals(
    "record of an update",
    RECORDS,
    "rate, momentum, decay, gradient as m·2^k; packed",
    *(36, 32, 16),
    *("8>8",) * 36,
    per="tensor of weights",
)
"""Of each of four: frexp, mantissa and rounding (4), limits (2); eight fields put together (12)."""
CHUNK_STATISTICS = _reals(
    "statistics of a chunk",
    AFTER,
    "Σ Σy, Σ D/n",
    *(3, 16, 0),
    *("8>", "8>8", "8>8", "88>8"),
    per="channel of a chunk",
)
RUNNING_STATISTICS = _reals(
    "running statistics",
    AFTER,
    "μ, σ² of the step, old + 0.1·(new − old)",
    *(10, 32, 16),
    *("8>8",) * 4,
    *("88>8", "8>8", "88>8") * 2,
    per="channel of a batch norm",
)
CHUNK_GRADIENTS = _reals(
    "gradients of a chunk",
    AFTER,
    "Σ ΣE, Σ ΣEx̂",
    *(2, 16, 0),
    *("8>", "8>"),
    per="channel of a chunk",
)
NORM_GRADIENTS = _reals(
    "gradients of a batch norm",
    AFTER,
    "dγ, dβ: · what E and x̂ are worth; γ·dγ + β·dβ",
    *(7, 32, 16),
    *("8>8",) * 3,
    *("88>8",) * 3,
    "8>",
    per="channel of a batch norm",
)
POOLED = _reals(
    "pooled sums",
    "classifier, loss",
    "to float64, · scale",
    *(2, 4, 8),
    *("8>8", "8>8"),
    per="channel of an image",
)
POOLED_ERRORS = _reals(
    "errors at the pooling",
    "classifier, loss",
    "greatest magnitude, · 2^−k, rounded, limited",
    *(7, 8, 2),
    *("8>8", "8>", "8>8", "8>8", "8>8", "8>8", "8>8", "8>2"),
    per="channel of an image",
)
MEANS = _reals(
    "means for the gates", "gates", "Σ over images", *(1, 4, 0), "8>", per="channel of an image"
)
