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
from fractrain.host.compiler.whole_step.refusal import DoesNotFit
from fractrain.host.compiler.whole_step.sheets import RULES, WEIGHTS
from fractrain.host.compiler.whole_step.templates import tiles_of_gradient
from fractrain.host.graph.machine_records import ScaleKey
from fractrain.hw.contract.commands import Quantize, Tag, Update
from fractrain.hw.contract.precision import Operand

TILES_TOGETHER = 80
"""UPDATEs that stand together: at few bits errors wait behind more of them."""
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
    command = Quantize(
        slot=layer.slot,
        operand=Operand.WEIGHT,
        partner=Operand.ACTIVATION,
        tag=Tag.OTHER,
        scale=record,
        source=weights.master,
        destination=weights.address,
        blocks=weights.layout.digit_stride,
        plane_stride=weights.layout.digit_stride,
    )
    reads = [records, (f"master {layer.name}", 0, 1)]
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
    gradient to the update. UPDATEs wait until they are asked for, so that they stand beside work of
    the array.

    ``early``: a layer is updated as soon as its last gradient is there, and the next group takes
    beats one layer after the other; otherwise all at the end of a group.
    """

    def __init__(self, writer: StageWriter, *, early: bool) -> None:
        self._writer, self._early = writer, early
        self._gradients = writer.chip.gradients
        self._beats: dict[str, int] = {}
        self._places: dict[str, int] = {}
        self._ended: list[Layer] = []
        self._updates: deque[tuple[Layer, Iterator[None]]] = deque()

    def begin(self, group: Group) -> None:
        """Gradients of ``group`` are next; again for each chunk."""
        if group.beats.items() <= self._beats.items():
            return
        if not self._early:
            self.write()
        self._beats = dict(group.beats)
        if not self._early:
            for name in group.beats:
                self._take(name)

    def at(self, layer: Layer) -> int:
        """First beat of the gradient of ``layer``."""
        if layer.name not in self._places:
            self._take(layer.name)
        return self._places[layer.name]

    def end(self, layer: Layer) -> None:
        """The last gradient of ``layer`` is written."""
        self._ended.append(layer)

    def write_early(self) -> None:
        """Here is work of the array beside which some UPDATEs may stand."""
        if self._early:
            self._write(TILES_TOGETHER)

    def write(self) -> None:
        """UPDATE what has ended; its beats are free."""
        self._write(None)

    def _write(self, most: int | None) -> None:
        for layer in self._ended:
            self._updates.append(
                (layer, _update_layer(self._writer, layer, self._places[layer.name]))
            )
        self._ended.clear()
        while self._updates and most != 0:
            layer, tiles = self._updates[0]
            if next(tiles, True) is True:
                self._updates.popleft()
                self._gradients.give(self._places.pop(layer.name))
            elif most is not None:
                most -= 1

    def _take(self, name: str) -> None:
        try:
            found = self._gradients.take(self._beats[name])
        except DoesNotFit:
            self.write()
            found = self._gradients.take(self._beats[name])
        self._places[name] = found


def _update_layer(writer: StageWriter, layer: Layer, first: int) -> Iterator[None]:
    """One tile after the other."""
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
    for tile in range(-(-layer.geometry.filters // p.block.channels) * len(pairs)):
        filters, pair = divmod(tile, len(pairs))
        halves: dict[str, Any] = {}
        for side, entry in zip("ab", pairs[pair], strict=True):
            if entry is not None:
                tap = entry.ky * kernel[1] + entry.kx
                halves[f"{side}_enable"] = True
                halves[f"{side}_address"] = places[filters, entry.group, tap]
                halves[f"{side}_group"], halves[f"{side}_tap"] = entry.group, tap
        beat = first + tile * p.beats_per_tile
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
        yield


def weights_peak(layer: Layer) -> str:
    """The name of the peak of its weights, which has Σs² behind it."""
    return f"weights {layer.parameter}"
