"""Records of the parameter memory: 128 bits that the host or CHANNEL writes, SET brings.

Which record a command reads is said by its field; a record has no type of its own. In memory it is
16 bytes, little-endian.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fractrain.hw.contract import numerics as n
from fractrain.hw.contract.commands.field import Field, packed
from fractrain.hw.contract.errors import ParameterError

RECORD_BITS = 128
RECORD_BYTES = RECORD_BITS // 8
_HALF = 64

SHIFT_BITS = 7
"""Of a shift, signed. Beyond it every word is shifted off, or saturates."""

BEFORE_BITS = 6
"""Of k₀."""


class Record(enum.Enum):
    """What a record says."""

    NORM = enum.auto()
    CHUNK = enum.auto()
    SCALE = enum.auto()
    UPDATE = enum.auto()


def _factor(name: str, meaning: str) -> dict[str, Field]:
    return {
        f"{name}_mantissa": Field(n.MULTIPLIER_BITS, f"{meaning}: mantissa, 0: no term"),
        f"{name}_shift": Field(SHIFT_BITS, f"{meaning}: shift", signed=True),
    }


RECORDS: Mapping[Record, Mapping[str, Field]] = {
    record: packed(0, fields, RECORD_BITS)
    for record, fields in (
        (
            Record.NORM,
            {
                "factor": Field(n.FACTOR_BITS, "G", signed=True),
                "offset": Field(n.BETA_BITS, "B", signed=True),
                "gain": Field(n.FACTOR_BITS, "γC", signed=True),
                "running_mean": Field(n.MEAN_BITS, "μ' of the running mean", signed=True),
                "running_variance": Field(n.VARIANCE_BITS, "V, the running variance"),
            },
        ),
        (
            Record.CHUNK,
            {
                "mean": Field(n.MEAN_BITS, "μ'", signed=True),
                "reciprocal": Field(n.RECIPROCAL_BITS, "M"),
                "shifted": Field(n.FACTOR_BITS, "δ", signed=True),
                "error_mean": Field(n.MEAN_BITS, "T₁'", signed=True),
                "slope": Field(n.FACTOR_BITS, "A", signed=True),
                "cross_slope": Field(n.SLOPE_BITS, "B̄", signed=True),
            },
        ),
        (
            Record.SCALE,
            {
                "narrow_shift": Field(SHIFT_BITS, "s of y", signed=True),
                "before": Field(BEFORE_BITS, "k₀ of an error's sums"),
                "mantissa": Field(n.MULTIPLIER_BITS, "of an error's sums, or of weights"),
                "shift": Field(SHIFT_BITS, "the multiplier's", signed=True),
                "stream_shift": Field(SHIFT_BITS, "of a stream E", signed=True),
                "residual_factor": Field(n.FACTOR_BITS, "ρ", signed=True),
                "gain_shift": Field(SHIFT_BITS, "of γC", signed=True),
            },
        ),
        (
            Record.UPDATE,
            {
                "before": Field(BEFORE_BITS, "k₀ of the gradient's sums"),
                **_factor("gradient", "of the gradient"),
                **_factor("momentum", "of the momentum"),
                **_factor("decay", "of the weight"),
                **_factor("rate", "from momentum to weight"),
            },
        ),
    )
}
"""Fields of each record."""


def clip_shift(shift: int) -> int:
    """``shift`` as a record holds it: farther ones give the same."""
    most = 1 << (SHIFT_BITS - 1)
    return max(-most, min(most - 1, shift))


def pack_records(record: Record, values: Mapping[str, ArrayLike]) -> NDArray[np.uint8]:
    """``[n, 16]`` bytes of n records; missing fields are 0, single values those of all.

    Raises `ParameterError` for an unknown field and for the first value that does not fit.
    """
    fields = RECORDS[record]
    for name in values:
        if name not in fields:
            raise ParameterError(f"record {record.name}", name, ", ".join(fields))
    given = {name: np.atleast_1d(np.asarray(each, np.int64)) for name, each in values.items()}
    count = max((len(each) for each in given.values()), default=1)
    halves = np.zeros((count, 2), np.uint64)
    for name, each in given.items():
        field = fields[name]
        wrong = each[(each < field.least) | (each > field.greatest)]
        if wrong.size:
            allowed = f"{field.least}..{field.greatest}"
            raise ParameterError(f"{record.name}.{name}", int(wrong[0]), allowed)
        raw = (np.broadcast_to(each, count) & ((1 << field.width) - 1)).astype(np.uint64)
        half, offset = divmod(field.offset, _HALF)
        halves[:, half] |= raw << np.uint64(offset)
        if offset + field.width > _HALF:
            halves[:, half + 1] |= raw >> np.uint64(_HALF - offset)
    return halves.astype("<u8").view(np.uint8).reshape(count, RECORD_BYTES)


def unpack_records(record: Record, data: NDArray[np.uint8]) -> dict[str, NDArray[np.int64]]:
    """Inverse of `pack_records`: all fields of ``data[n, 16]``."""
    halves = np.ascontiguousarray(data).reshape(-1, RECORD_BYTES).view("<u8").astype(np.uint64)
    found = {}
    for name, field in RECORDS[record].items():
        half, offset = divmod(field.offset, _HALF)
        raw = halves[:, half] >> np.uint64(offset)
        if offset + field.width > _HALF:
            raw = raw | halves[:, half + 1] << np.uint64(_HALF - offset)
        value = (raw & np.uint64((1 << field.width) - 1)).astype(np.int64)
        if field.signed:
            value -= (value >> (field.width - 1)) << field.width
        found[name] = value
    return found
