"""The records of a step as columns: one array of each field, in a fixed order of the records.

`StepRecords`, which has a mapping for every record, is the interface with the compiler; a step of
ResNet-38 has 188 records of scales and 1,456 of channels, and columns are what numbers are made in
and packed from.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from fractrain.host.graph.machine_records import NormKey, ScaleKey, StepRecords
from fractrain.hw.contract.records import RECORD_BYTES, SHIFT_BITS, Record, pack_records

Key = TypeVar("Key", bound=Hashable)


def clip_shifts(shifts: Any) -> Any:
    """`hw.contract.records.clip_shift` of many."""
    most = 1 << (SHIFT_BITS - 1)
    return np.clip(shifts, -most, most - 1)


@dataclass(frozen=True)
class RecordColumns(Generic[Key]):
    """Records of a kind, by ``keys``, with ``counts`` records of each, one after the other;
    ``fields``: arrays of all records, or a number that is the same for all."""

    kind: Record
    keys: tuple[Key, ...]
    fields: Mapping[str, Any]
    counts: tuple[int, ...] | None = None
    """None: one record of each key."""

    def pack(self) -> NDArray[np.uint8]:
        """``[records, 16]`` bytes; `ParameterError` for a value that does not fit its field."""
        if not self.keys:
            return np.empty((0, RECORD_BYTES), np.uint8)
        return pack_records(self.kind, self.fields)

    def by_key(self) -> dict[Key, dict[str, Any]]:
        """Fields of each key: numbers, or arrays where there are several records of a key."""
        if self.counts is None:
            columns = {
                name: np.broadcast_to(each, len(self.keys)).tolist()
                for name, each in self.fields.items()
            }
            return {
                key: {name: each[place] for name, each in columns.items()}
                for place, key in enumerate(self.keys)
            }
        ends = np.cumsum(self.counts).tolist()
        return {
            key: {name: each[end - count : end] for name, each in self.fields.items()}
            for key, count, end in zip(self.keys, self.counts, ends, strict=True)
        }


@dataclass(frozen=True)
class StepColumns:
    """All records of a step that are known at a time. The keys of steps at the same precisions
    are the same tuples, so that who places records may remember where."""

    scales: RecordColumns[ScaleKey]
    norms: RecordColumns[NormKey]
    updates: RecordColumns[str]

    def records(self) -> StepRecords:
        """As the compiler's interface has them."""
        return StepRecords(self.scales.by_key(), self.norms.by_key(), self.updates.by_key())
