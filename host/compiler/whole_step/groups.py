"""Groups of the way back: segments of a stage whose gradients are summed at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fractrain.host.compiler.whole_step.network import Layer, NetworkStage, ResidualNetwork, Segment
from fractrain.host.compiler.whole_step.refusal import too_small
from fractrain.host.compiler.whole_step.templates import tiles_of_gradient
from fractrain.hw.contract.parameters import Parameters


@dataclass(frozen=True, eq=False)
class Group:
    """``segments`` in the order of the way back; ``beats``: of each of their layers, by name."""

    stage: NetworkStage
    segments: tuple[Segment, ...]
    beats: Mapping[str, int]


def gradient_beats(p: Parameters, layer: Layer) -> int:
    """Of the gradient memory."""
    filters = -(-layer.geometry.filters // p.block.channels)
    return filters * len(tiles_of_gradient(p, layer.geometry)) * p.beats_per_tile


def groups_of(p: Parameters, network: ResidualNetwork) -> list[Group]:
    """As many segments in each as there is room for, from the last one on; raises `DoesNotFit` for
    one that needs more."""
    found: list[Group] = []
    for stage in reversed(network.stages):
        segments: list[Segment] = []
        beats: dict[str, int] = {}
        for segment in reversed(stage.segments):
            own = {layer.name: gradient_beats(p, layer) for layer in segment.layers}
            needed, most = sum(own.values()), p.buffers.gradient_words
            if needed > most:
                raise too_small(f"gradient memory for {segment.name}", needed, most, "beats")
            if sum(beats.values()) + needed > most:
                found.append(Group(stage, tuple(segments), beats))
                segments, beats = [], {}
            segments.append(segment)
            beats = beats | own
        found.append(Group(stage, tuple(segments), beats))
    return found
