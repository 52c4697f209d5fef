"""What a step has left in memory, by the names of the step graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler.whole_step.grids import PixelGrid
from fractrain.host.compiler.whole_step.memory_map import (
    PEAK_BYTES,
    MemoryMap,
    Region,
    chunks_of,
)
from fractrain.host.compiler.whole_step.network import Block, Layer, Segment
from fractrain.host.compiler.whole_step.sheets import norm_key
from fractrain.host.compiler.whole_step.weights import weights_peak
from fractrain.host.graph.choice import is_skip
from fractrain.host.graph.machine_records import NormKey, NormMoments, StepResults
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.records import RECORD_BYTES

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]


def read_results(
    where: MemoryMap,
    places: Mapping[str, int],
    region: Region,
    memory: Bytes,
    table: Sequence[Precision],
) -> StepResults:
    """Of ``memory``; peaks are in ``region``, at their ``places``."""
    reader = _Reader(where, memory, table)
    words = reader.part(region).view("<u8")
    assert words.size * PEAK_BYTES == region.size
    found = {name: int(words[places[name]]) for name in reader.peaks()}
    weights = {
        layer.parameter: (int(words[place]), int(words[place + 1]))
        for layer in where.network.layers
        for place in [places[weights_peak(layer)]]
    }
    return StepResults(found, dict(reader.moments()), weights, dict(reader.pooled()))


class _Reader:
    def __init__(self, where: MemoryMap, memory: Bytes, table: Sequence[Precision]) -> None:
        self._where, self._memory, self._table = where, memory, table

    def part(self, region: Region) -> Bytes:
        first = region.address - self._where.base
        return self._memory[first : first + region.size]

    def _runs(self, layer: Layer) -> bool:
        return not is_skip(self._table[layer.slot])

    def peaks(self) -> Iterator[str]:
        """Names of the operations that were carried out; a form without any batch norm passes its
        residual on, and finds no greatest z."""
        for segment in self._where.network.segments:
            for layer in segment.layers:
                if self._runs(layer):
                    yield from (layer.narrow.name, layer.apply.name)
            if isinstance(segment, Block) and self._runs(segment.first):
                yield from (segment.inside.name, segment.inside_join.name)
            ends = segment.layers[1:] if isinstance(segment, Block) else segment.layers
            if any(map(self._runs, ends)):
                yield segment.output.form.name
            yield segment.output.join.name

    def moments(self) -> Iterator[tuple[NormKey, NormMoments]]:
        for stage, grids in zip(self._where.network.stages, self._where.grids, strict=True):
            for segment in stage.segments:
                for layer in segment.layers:
                    if self._runs(layer):
                        yield norm_key(segment, layer), self._moments(layer, grids.outputs)

    def _moments(self, layer: Layer, grid: PixelGrid) -> NormMoments:
        """By chunk and group of channels: records, forward, and sums."""
        chunks = len(chunks_of(self._where.network.graph, grid))
        sums = []
        for backward in (False, True):
            data = self.part(self._where.statistics[layer.name, backward])
            behind = 0 if backward else self._where.p.block.channels * RECORD_BYTES
            parts = data.reshape(chunks * grid.groups, -1)
            words = np.ascontiguousarray(parts[:, behind:]).view("<i8")
            sums.append(words.reshape(chunks, grid.padded, 2)[:, : grid.channels].astype(np.int64))
        forward, back = sums
        return NormMoments(forward[..., 0], forward[..., 1], back[..., 0], back[..., 1])

    def pooled(self) -> Iterator[tuple[str, Integers]]:
        for stage, grids in zip(self._where.network.stages, self._where.grids, strict=True):
            for segment in stage.segments:
                if segment.output.pooled:
                    yield segment.output.form.name, self._pooled(segment, grids.outputs)

    def _pooled(self, segment: Segment, grid: PixelGrid) -> Integers:
        sums = self.part(self._where.pooled[segment.name]).view("<u4")
        found = sums.reshape(self._where.images, -1)[:, : grid.channels]
        return found.astype(np.int64)
