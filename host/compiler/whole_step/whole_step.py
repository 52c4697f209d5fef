"""A compiled step: its program, and what the host puts into memory and reads from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler.layouts import align
from fractrain.host.compiler.whole_step.memory_map import (
    PIXEL_PLANES,
    WEIGHT_BYTES,
    MemoryMap,
    Region,
    chunks_of,
)
from fractrain.host.compiler.whole_step.network import Layer
from fractrain.host.compiler.whole_step.reading import read_results
from fractrain.host.compiler.whole_step.sheets import LATE, late_key
from fractrain.host.compiler.whole_step.tables import tables_of
from fractrain.host.compiler.whole_step.weights import half_blocks
from fractrain.host.graph.machine_records import StepRecords, StepResults
from fractrain.hw.contract.commands import COMMAND_BYTES, Command
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Residency:
    """What the memories have room for: chunks ``in_flight`` forward; backward, errors of the next
    chunk and of the next segment beside the last gradient of this one."""

    in_flight: int
    next_chunk: bool
    next_segment: bool


@dataclass(frozen=True, eq=False)
class WholeStep:
    """``commands``, also as ``encoded[n, 32]`` bytes, for memory from ``base_address`` on, of
    ``memory_bytes``; they are to be at ``program_address``.

    ``peaks``: places by name, in ``peak_region``. ``held``: most words of each memory on the chip.
    ``sections``: the first command of each part of the program, and what it is called.

    In a step the host packs records and images, sets the precision table to `tables`, starts the
    program, is given a token for each of ``chunks``, packs errors, and gives one token. Everything
    else stays in memory from step to step: the program, weights, momenta.
    """

    parameters: Parameters
    memory: MemoryMap
    commands: tuple[Command, ...]
    encoded: Bytes
    program_address: int
    peak_region: Region
    peaks: Mapping[str, int]
    residency: Residency
    held: Mapping[str, int]
    sections: Sequence[tuple[int, str]] = ()

    @property
    def base_address(self) -> int:
        return self.memory.base

    @property
    def memory_bytes(self) -> int:
        end = self.program_address + len(self.commands) * COMMAND_BYTES
        return align(self.parameters, end) - self.base_address

    @property
    def chunks(self) -> list[range]:
        """Images of each chunk of the last stage, for each of which the host is given a token."""
        return chunks_of(self.memory.network.graph, self.memory.grids[-1].outputs)

    # -- tables ----------------------------------------------------------------------------

    def tables(self, table: Sequence[Precision]) -> tuple[list[Precision], list[KeptBits]]:
        """The machine's, of the precisions of the graph's slots: whatever skips has 0 bits of
        everything; bits of x̂ follow from those of the activations.

        Raises `ParameterError` for more bits than there is room for.
        """
        return tables_of(self.memory.network.graph, table)

    # -- in --------------------------------------------------------------------------------

    def pack_program(self, memory: Bytes) -> None:
        """Once; weights are packed once, too."""
        self._put(memory, self.program_address, self.encoded)

    def pack_records(self, memory: Bytes, records: StepRecords) -> None:
        """All but that of the error behind the pooling; raises `ParameterError` for one that the
        step does not read."""
        known = {key for sheet, _ in self.memory.sheets.values() for key in sheet.places}
        for key in (*records.scales, *records.norms, *records.updates):
            if key not in known:
                raise ParameterError("record", str(key), "one of the step")
        for name, (sheet, region) in self.memory.sheets.items():
            if name != LATE:
                self._put(memory, region.address, sheet.pack(records))

    def pack_images(self, memory: Bytes, images: NDArray[np.uint8]) -> None:
        """``images[N, C, H, W]`` as they are."""
        stash = self.memory.pixels
        grid = stash.grid
        wanted = (stash.images, grid.channels, grid.height, grid.width)
        if images.shape != wanted:
            raise ParameterError("images of a whole step", images.shape, str(wanted))
        layout = grid.layout(stash.images, PIXEL_PLANES)
        layout.pack(images, self._part(memory, stash.address, stash.size))

    def pack_errors(self, memory: Bytes, e: Integers, record: Mapping[str, int]) -> None:
        """Errors ``e[N, C]`` behind the pooling, 16 bits, and the scale ``record`` of their
        `Join`."""
        self.pack_error_lines(memory, e)
        sheet, region = self.memory.sheets[LATE]
        given = StepRecords(scales={late_key(self.memory.network): record})
        self._put(memory, region.address, sheet.pack(given))

    def pack_error_lines(self, memory: Bytes, e: NDArray[np.integer]) -> None:
        """The errors alone."""
        grid, p = self.memory.grids[-1].outputs, self.parameters
        images, channels = e.shape
        wanted = self.memory.images, grid.channels
        if (images, channels) != wanted:
            raise ParameterError("errors of a whole step", e.shape, str(wanted))
        lines = np.zeros((images, grid.groups, p.array.rows), "<i2")
        padded = np.zeros((images, grid.padded), "<i2")
        padded[:, :channels] = e
        lines[:, :, : p.block.channels] = padded.reshape(images, grid.groups, -1)
        self._put(memory, self.memory.spread.address, lines)

    # -- weights ---------------------------------------------------------------------------

    def pack_weights(
        self,
        memory: Bytes,
        weights: Mapping[str, NDArray[np.integer]],
        momenta: Mapping[str, NDArray[np.integer]],
    ) -> None:
        """Master weights and momenta ``[K, C, R, S]`` by the names of the parameters; of others
        nothing is read."""
        for layer in self.memory.network.layers:
            place = self.memory.weights[layer.name]
            for address, given in (
                (place.master, weights[layer.parameter]),
                (place.master + place.velocity, momenta[layer.parameter]),
            ):
                self._put(memory, address, self._to_blocks(layer, given).astype("<i4"))

    def read_weights(self, memory: Bytes) -> tuple[dict[str, Integers], dict[str, Integers]]:
        """Inverse of `pack_weights`."""
        found: tuple[dict[str, Integers], dict[str, Integers]] = {}, {}
        for layer in self.memory.network.layers:
            place = self.memory.weights[layer.name]
            size = WEIGHT_BYTES * place.layout.digit_stride * self.parameters.block_bits
            for target, address in zip(
                found, (place.master, place.master + place.velocity), strict=True
            ):
                blocks = self._part(memory, address, size).view("<i4").astype(np.int64)
                target[layer.parameter] = self._from_blocks(layer, blocks)
        return found

    def _places(self, layer: Layer) -> Iterator[tuple[int, int, slice, slice, int]]:
        """(word, half, filters, channels, tap) of each half-block."""
        channels = self.parameters.block.channels
        for f, group, tap, word, half in half_blocks(self.memory.weights[layer.name].layout):
            rows, columns = (slice(channels * n, channels * (n + 1)) for n in (f, group))
            yield word, half, rows, columns, tap

    def _padded(self, layer: Layer) -> Integers:
        layout, channels = self.memory.weights[layer.name].layout, self.parameters.block.channels
        sizes = layout.filter_groups * channels, layout.channel_groups * channels, layout.taps
        return np.zeros(sizes, np.int64)

    def _blocks(self, layer: Layer) -> Integers:
        channels = self.parameters.block.channels
        words = self.memory.weights[layer.name].layout.digit_stride
        return np.zeros((words, 2, channels, channels), np.int64)

    def _to_blocks(self, layer: Layer, values: NDArray[np.integer]) -> Integers:
        padded, blocks = self._padded(layer), self._blocks(layer)
        filters, channels = values.shape[:2]
        padded[:filters, :channels] = np.asarray(values).reshape(filters, channels, -1)
        for word, half, rows, columns, tap in self._places(layer):
            blocks[word, half] = padded[rows, columns, tap]
        return blocks

    def _from_blocks(self, layer: Layer, data: Integers) -> Integers:
        padded = self._padded(layer)
        blocks = data.reshape(self._blocks(layer).shape)
        for word, half, rows, columns, tap in self._places(layer):
            padded[rows, columns, tap] = blocks[word, half]
        filters, channels, *kernel = layer.geometry.weights
        return padded[:filters, :channels].reshape(filters, channels, *kernel)

    # -- out -------------------------------------------------------------------------------

    def read_pooled(self, memory: Bytes, images: range) -> Integers:
        """Σr ``[images, C]`` of the last segment: what the host needs of a chunk in the step."""
        segment, grid = self.memory.network.segments[-1], self.memory.grids[-1].outputs
        region = self.memory.pooled[segment.name]
        sums = self._part(memory, region.address, region.size).view("<u4")
        found = sums.reshape(self.memory.images, -1)[images.start : images.stop, : grid.channels]
        return found.astype(np.int64)

    def read_results(self, memory: Bytes, table: Sequence[Precision]) -> StepResults:
        """What the step has left, where the graph's slots had the precisions of ``table``."""
        return read_results(self.memory, self.peaks, self.peak_region, memory, table)

    # -- bytes -----------------------------------------------------------------------------

    def _part(self, memory: Bytes, address: int, size: int) -> Bytes:
        first = address - self.base_address
        return memory[first : first + size]

    def _put(self, memory: Bytes, address: int, data: NDArray[np.generic]) -> None:
        flat = np.ascontiguousarray(data).view(np.uint8).reshape(-1)
        self._part(memory, address, flat.size)[:] = flat
