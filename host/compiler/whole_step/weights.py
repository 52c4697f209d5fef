"""Weights: quantized ahead of their first use, updated behind their last gradient."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from fractrain.host.compiler.tensors import TAPS, KernelLayout
from fractrain.host.compiler.whole_step.chunk import GRADIENT, StageWriter
from fractrain.host.compiler.whole_step.groups import Group
from fractrain.host.compiler.whole_step.memory_map import WEIGHT_BYTES
from fractrain.host.compiler.whole_step.network import Layer, Segment
from fractrain.host.compiler.whole_step.sheets import RULES, WEIGHTS
from fractrain.host.compiler.whole_step.templates import tiles_of_gradient
from fractrain.host.graph.machine_records import ScaleKey
from fractrain.hw.contract.commands import Quantize, Tag, Update
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand

QUANTIZED_BLOCKS = 24
"""At a time, so that the vector unit may do something else."""
FIRST_NUMBER = 1 << 15
"""Of the weights among the tensors that are rounded at random (docs/numerics.md)."""


def half_blocks(layout: KernelLayout) -> Iterator[tuple[int, int, int, int, int]]:
    """(group of filters, group of channels, tap, word, half) of each half-block."""
    for filters in range(layout.filter_groups):
        for group in range(layout.channel_groups):
            for tap in range(layout.taps):
                part, half = group, tap
                if layout.taps != TAPS:
                    part, half = divmod(group, layout.groups_per_slice)
                yield filters, group, tap, layout.word(filters, part) + half // 2, half % 2


def quantize(writer: StageWriter, layer: Layer) -> None:
    """Master weights of ``layer`` into planes."""
    weights, chip = writer.memory.weights[layer.name], writer.chip
    record, records = writer.record(WEIGHTS, ScaleKey(layer.quantize.name))
    stride = weights.layout.digit_stride
    reads = [records, (f"master {layer.name}", 0, 1)]
    block = WEIGHT_BYTES * chip.p.block_bits
    for first in range(0, stride, QUANTIZED_BLOCKS):
        command = Quantize(
            slot=layer.slot,
            operand=Operand.WEIGHT,
            partner=Operand.ACTIVATION,
            tag=Tag.OTHER,
            scale=record,
            source=weights.master + block * first,
            destination=weights.address + chip.p.word_bytes * first,
            blocks=min(QUANTIZED_BLOCKS, stride - first),
            plane_stride=stride,
        )
        chip.add(command, reads, [(f"weights {layer.name}", 0, 1)])


class Quantizing:
    """Weights become planes a segment ahead of the first chunks, a layer with each phase, so that
    the vector unit forms in between. Not earlier: in the first stages memory is busy anyway, and
    most weights are those of the last, where the array is."""

    def __init__(self, writer: StageWriter, segments: Sequence[Segment]) -> None:
        self._writer = writer
        self._left = deque(
            (number, layer) for number, each in enumerate(segments) for layer in each.layers
        )
        self._numbers = {each: number for number, each in enumerate(segments)}

    def until(self, segment: Segment) -> None:
        """All up to those of ``segment``."""
        self._write(self._numbers[segment])

    def ahead(self, segment: Segment) -> None:
        """A layer of the segment behind ``segment``."""
        self._write(self._numbers[segment] + 1, most=1)

    def _write(self, last: int, most: int | None = None) -> None:
        while self._left and self._left[0][0] <= last and most != 0:
            quantize(self._writer, self._left.popleft()[1])
            most = None if most is None else most - 1


class Updating:
    """Beats of the gradient memory for the layers of a group after the other, held from the first
    gradient to the update: some for each group of filters.

    ``early``: a layer is updated as soon as its last gradient is there, and the next group takes
    beats one layer after the other; otherwise all at the end of a group.
    """

    def __init__(self, writer: StageWriter, *, early: bool) -> None:
        self._writer, self._early = writer, early
        self._gradients = writer.chip.gradients
        self._beats: dict[str, int] = {}
        self._places: dict[str, list[int]] = {}
        self._ended: list[Layer] = []

    def begin(self, group: Group) -> None:
        """Gradients of ``group`` are next; again for each chunk."""
        if group.beats.items() <= self._beats.items():
            return
        if not self._early:
            self.write()
        self._beats = dict(group.beats)
        if not self._early:
            for segment in group.segments:
                for layer in segment.layers:
                    self.at(layer)

    def at(self, layer: Layer) -> list[int]:
        """First beats of the gradient of ``layer``, of each group of filters."""
        found = self._places.get(layer.name)
        if found is None:
            filters = filter_groups(self._writer.p, layer)
            size = self._beats[layer.name] // filters
            found = self._places[layer.name] = [self._gradients.take(size) for _ in range(filters)]
        return found

    def end(self, layer: Layer) -> None:
        """The last gradient of ``layer`` is written."""
        self._ended.append(layer)
        if self._early:
            self.write()

    def write(self) -> None:
        """UPDATE what has ended; its beats are free."""
        for layer in self._ended:
            places = self._places.pop(layer.name)
            update(self._writer, layer, places)
            for each in places:
                self._gradients.give(each)
        self._ended.clear()


def filter_groups(p: Parameters, layer: Layer) -> int:
    return -(-layer.geometry.filters // p.block.channels)


def update(writer: StageWriter, layer: Layer, beats: Sequence[int]) -> None:
    """Weights of ``layer``, one tile after the other: those of a group of filters are at its
    ``beats``."""
    chip, p, weights = writer.chip, writer.p, writer.memory.weights[layer.name]
    layout, kernel = weights.layout, layer.geometry.kernel
    record, records = writer.record(RULES, layer.parameter)
    peak = chip.peak(weights_peak(layer), 2)
    size = WEIGHT_BYTES * p.block.channels**2
    places = {
        (filters, group, tap): weights.master + size * (2 * word + half)
        for filters, group, tap, word, half in half_blocks(layout)
    }
    pairs = tiles_of_gradient(p, layer.geometry)
    for tile in range(filter_groups(p, layer) * len(pairs)):
        filters, pair = divmod(tile, len(pairs))
        halves: dict[str, Any] = {}
        for side, entry in zip("ab", pairs[pair], strict=True):
            if entry is not None:
                tap = entry.ky * kernel[1] + entry.kx
                halves[f"{side}_enable"] = True
                halves[f"{side}_address"] = places[filters, entry.group, tap]
                halves[f"{side}_group"], halves[f"{side}_tap"] = entry.group, tap
        beat = beats[filters] + pair * p.beats_per_tile
        command = Update(
            **GRADIENT | {"tag": Tag.OTHER},
            slot=layer.slot,
            gradient_address=beat,
            **halves,
            velocity=weights.velocity,
            filter_group=filters,
            taps=layout.taps,
            rule=record,
            tensor=FIRST_NUMBER + layer.update,
            peak=peak,
        )
        reads = [records, ("gradients", beat, beat + p.beats_per_tile)]
        chip.add(command, reads, [(f"master {layer.name}", 0, 1), ("peaks", peak, peak + 2)])


def weights_peak(layer: Layer) -> str:
    """The name of the peak of its weights, which has Σs² behind it."""
    return f"weights {layer.parameter}"
