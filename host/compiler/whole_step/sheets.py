"""Records in the parameter memory, a sheet for each segment.

A sheet is brought as a whole: records of the batch norms first, each filled up to whole groups of
channels, then scales.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler.whole_step.network import (
    Block,
    Layer,
    Output,
    ResidualNetwork,
    Segment,
)
from fractrain.host.graph.machine_records import NormKey, ScaleKey, StepRecords
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import RECORD_BYTES, Record, pack_records

WEIGHTS, RULES, LATE = "weights", "rules", "late"
"""Sheets of all layers: scales of quantization, rules of update; and the one that comes last."""
SAME, CLEAR = "same", "clear"
"""Scales that leave a stream, and that shift it off."""
_CONSTANTS: Mapping[str, Mapping[str, int]] = {SAME: {}, CLEAR: {"stream_shift": 63}}

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Place:
    """First of ``count`` records."""

    first: int
    count: int = 1


@dataclass(eq=False)
class Sheet:
    """``records`` of them, in whole words; ``places`` by what they are: keys of `StepRecords`, the
    names of parameters, of constants."""

    name: str
    granule: int
    places: dict[NormKey | ScaleKey | str, Place] = field(default_factory=dict)
    filled: int = 0

    def add(self, key: NormKey | ScaleKey | str, count: int = 1) -> None:
        self.places[key] = Place(self.filled, count)
        self.filled += count

    @property
    def records(self) -> int:
        return -(-self.filled // self.granule) * self.granule

    def pack(self, given: StepRecords) -> Bytes:
        """All of them; what ``given`` lacks is 0."""
        found = np.zeros((self.records, RECORD_BYTES), np.uint8)
        for key, place in self.places.items():
            record = _packed(key, given)
            found[place.first : place.first + len(record)] = record
        return found.reshape(-1)


def _packed(key: NormKey | ScaleKey | str, given: StepRecords) -> Bytes:
    if isinstance(key, NormKey):
        values = given.norms.get(key)
        return (
            np.zeros((0, RECORD_BYTES), np.uint8)
            if values is None
            else pack_records(Record.NORM, values)
        )
    if isinstance(key, ScaleKey):
        return pack_records(Record.SCALE, given.scales.get(key, {}))
    if key in _CONSTANTS:
        return pack_records(Record.SCALE, _CONSTANTS[key])
    return pack_records(Record.UPDATE, given.updates.get(key, {}))


def late_key(network: ResidualNetwork) -> ScaleKey:
    """Of the error behind the pooling, whose exponent is known in the step only."""
    return ScaleKey(network.segments[-1].output.join.name)


def sheets_of(p: Parameters, network: ResidualNetwork) -> list[Sheet]:
    """All sheets, in the order of memory."""
    granule = max(1, p.word_bytes // RECORD_BYTES)
    found = [Sheet(WEIGHTS, granule), Sheet(RULES, granule)]
    for layer in network.layers:
        found[0].add(ScaleKey(layer.quantize.name))
        found[1].add(layer.parameter)
    for segment in network.segments:
        sheet = Sheet(segment.name, granule)
        for layer in segment.layers:
            sheet.add(norm_key(segment, layer), _padded(p, layer.geometry.filters))
        for key in _scales(segment):
            sheet.add(key)
        for constant in _CONSTANTS:
            sheet.add(constant)
        found.append(sheet)
    late = Sheet(LATE, granule)
    late.add(late_key(network))
    return [*found, late]


def norm_key(segment: Segment, layer: Layer) -> NormKey:
    """Of the batch norm of ``layer``."""
    inside = isinstance(segment, Block) and layer is segment.first
    form = segment.inside if isinstance(segment, Block) and inside else segment.output.form
    return NormKey(form.name, layer.part)


def _scales(segment: Segment) -> list[ScaleKey]:
    found = [ScaleKey(each.narrow.name) for each in segment.layers]
    found += [ScaleKey(each.apply.name) for each in segment.layers]
    if isinstance(segment, Block):
        found.append(ScaleKey(segment.inside_join.name))
    return found + _of_output(segment.output)


def _of_output(output: Output) -> list[ScaleKey]:
    parts = len(output.join.sums) + len(output.join.streams)
    joins = [ScaleKey(output.join.name, part) for part in range(parts)]
    return [ScaleKey(output.form.name), *joins]


def _padded(p: Parameters, filters: int) -> int:
    channels = p.block.channels
    return -(-filters // channels) * channels
