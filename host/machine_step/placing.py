"""Where the records of a step lie in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler.whole_step import WholeStep
from fractrain.host.machine_step.records import RecordColumns, StepColumns
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.records import RECORD_BYTES

Places = NDArray[np.intp]

REMEMBERED = 1024
"""Columns of records whose places are kept; a table of precisions has three or four."""


class RecordPlaces:
    """Of the records of ``step``, by key. Columns with the very same tuple of keys have the same
    places, which are computed once."""

    def __init__(self, step: WholeStep) -> None:
        self._first: dict[Any, int] = {}
        self._room: dict[Any, int] = {}
        for sheet, region in step.memory.sheets.values():
            first = (region.address - step.base_address) // RECORD_BYTES
            for key, place in sheet.places.items():
                self._first[key], self._room[key] = first + place.first, place.count
        self._known: dict[int, tuple[tuple[Any, ...], Places]] = {}

    def write(self, memory: NDArray[np.uint8], records: StepColumns) -> None:
        """``records`` into ``memory``; what they lack stays as it is.

        Raises `ParameterError` for a record that the step does not read.
        """
        lines = memory[: len(memory) // RECORD_BYTES * RECORD_BYTES].reshape(-1, RECORD_BYTES)
        for columns in (records.scales, records.norms, records.updates):
            if columns.keys:
                lines[self._places(columns)] = columns.pack()

    def _places(self, columns: RecordColumns[Any]) -> Places:
        known = self._known.get(id(columns.keys))
        if known is not None and known[0] is columns.keys:
            return known[1]
        places = self._compute(columns)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[id(columns.keys)] = columns.keys, places
        return places

    def _compute(self, columns: RecordColumns[Any]) -> Places:
        counts = columns.counts or (1,) * len(columns.keys)
        parts = []
        for key, count in zip(columns.keys, counts, strict=True):
            if count > self._room.get(key, 0):
                raise ParameterError("record", str(key), "one of the step")
            parts.append(self._first[key] + np.arange(count))
        return np.concatenate(parts)
