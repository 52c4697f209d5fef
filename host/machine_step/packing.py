"""Records as the machine has them: bytes, by what they are for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fractrain.host.graph.machine_records import NormKey, ScaleKey, StepRecords
from fractrain.hw.contract.records import Record, pack_records

Key = TypeVar("Key", bound=Hashable)
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class PackedRecords:
    """Records of a step, 16 bytes each: one of a scale and of an update, [16], one for each channel
    of a batch norm, [C, 16]. Where they lie is the compiler's matter."""

    scales: Mapping[ScaleKey, Bytes]
    norms: Mapping[NormKey, Bytes]
    updates: Mapping[str, Bytes]


def pack_step(records: StepRecords) -> PackedRecords:
    """All ``records``; `ParameterError` for a value that does not fit its field."""
    return PackedRecords(
        _pack_single(Record.SCALE, records.scales),
        _pack_norms(records.norms),
        _pack_single(Record.UPDATE, records.updates),
    )


def _pack_single(record: Record, values: Mapping[Key, Mapping[str, int]]) -> dict[Key, Bytes]:
    if not values:
        return {}
    names = {name for each in values.values() for name in each}
    columns = {name: [each.get(name, 0) for each in values.values()] for name in names}
    return dict(zip(values, pack_records(record, columns), strict=True))


def _pack_norms(norms: Mapping[NormKey, Mapping[str, Any]]) -> dict[NormKey, Bytes]:
    if not norms:
        return {}
    fields: Sequence[Mapping[str, Any]] = list(norms.values())
    names = fields[0].keys()
    columns = {name: np.concatenate([each[name] for each in fields]) for name in names}
    packed = pack_records(Record.NORM, columns)
    ends = np.cumsum([len(each["factor"]) for each in fields])
    return dict(zip(norms, np.split(packed, ends[:-1]), strict=True))
