"""Weights: quantized at the beginning of the step, updated at the end of a group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fractrain.host.compiler.tensors import TAPS, KernelLayout
from fractrain.host.compiler.whole_step.chunk import GRADIENT, StageWriter
from fractrain.host.compiler.whole_step.groups import Group
from fractrain.host.compiler.whole_step.memory_map import WEIGHT_BYTES
from fractrain.host.compiler.whole_step.network import Layer
from fractrain.host.compiler.whole_step.sheets import RULES, WEIGHTS
from fractrain.host.compiler.whole_step.templates import tiles_of_gradient
from fractrain.host.graph.machine_records import ScaleKey
from fractrain.hw.contract.commands import Quantize, Tag, Update
from fractrain.hw.contract.precision import Operand

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


def update(writer: StageWriter, group: Group, sums: Mapping[str, int]) -> None:
    """Weights of a group descend, tile by tile of the gradient memory."""
    for segment in group.segments:
        for layer in segment.layers:
            _update_layer(writer, layer, sums[layer.name])


def _update_layer(writer: StageWriter, layer: Layer, first: int) -> None:
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


def weights_peak(layer: Layer) -> str:
    """The name of the peak of its weights, which has Σs² behind it."""
    return f"weights {layer.parameter}"
