"""Groups of the way back: segments whose gradients are summed at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fractrain.host.compiler.whole_step.memory_map import MemoryMap, chunks_of
from fractrain.host.compiler.whole_step.network import Layer, NetworkStage, Segment
from fractrain.host.compiler.whole_step.refusal import too_small
from fractrain.host.compiler.whole_step.templates import tiles_of_gradient
from fractrain.hw.contract.parameters import Parameters


@dataclass(frozen=True, eq=False)
class Stretch:
    """``segments`` of one ``stage``, in the order of the way back."""

    stage: NetworkStage
    segments: tuple[Segment, ...]


@dataclass(frozen=True, eq=False)
class Group:
    """``stretches`` of a stage each, in the order of the way back; ``beats``: of each of their
    layers, by name."""

    stretches: tuple[Stretch, ...]
    beats: Mapping[str, int]

    @property
    def segments(self) -> Iterator[Segment]:
        return (each for stretch in self.stretches for each in stretch.segments)

    @property
    def name(self) -> str:
        """Of its last segment."""
        return self.stretches[-1].segments[-1].name


def gradient_beats(p: Parameters, layer: Layer) -> int:
    """Of the gradient memory."""
    filters = -(-layer.geometry.filters // p.block.channels)
    return filters * len(tiles_of_gradient(p, layer.geometry)) * p.beats_per_tile


@dataclass(frozen=True)
class _Border:
    """Lines of E that go to memory between two segments, in groups ``apart`` or ``together``."""

    apart: int
    together: int


def groups_of(p: Parameters, memory: MemoryMap, stages: int) -> list[Group]:
    """Those of at most so many ``stages`` with which least of E goes to memory. Inside a group a
    stage hands E on to the one before it: of the chunks there, into which its own are cut, one for
    each of these finds it on the chip. Raises `DoesNotFit` for a segment that needs more beats than
    there are.
    """
    order = [
        (stage, segment)
        for stage in reversed(memory.network.stages)
        for segment in reversed(stage.segments)
    ]
    beats = [_beats_of(p, segment) for _, segment in order]
    borders = [_border(memory, above, below) for (above, _), (below, _) in pairwise(order)]

    def fits(first: int, end: int) -> bool:
        needed = sum(count for each in beats[first:end] for count in each.values())
        spanned = len({stage.number for stage, _ in order[first:end]})
        return needed <= p.buffers.gradient_words and spanned <= stages

    # least[n]: from segment n on, lines to memory, groups, and (negative) the end of the first
    least: list[tuple[int, int, int]] = [(0, 0, 0)] * (len(order) + 1)
    for first in reversed(range(len(order))):
        found = []
        for end in range(first + 1, len(order) + 1):
            if not fits(first, end):
                break
            lines, groups, _ = least[end]
            lines += sum(each.together for each in borders[first : end - 1])
            lines += borders[end - 1].apart if end < len(order) else 0
            found.append((lines, groups + 1, -end))
        least[first] = min(found)
    made, first = [], 0
    while first < len(order):
        end = -least[first][2]
        made.append(_group(order[first:end], beats[first:end]))
        first = end
    return made


def _beats_of(p: Parameters, segment: Segment) -> dict[str, int]:
    found = {layer.name: gradient_beats(p, layer) for layer in segment.layers}
    needed, most = sum(found.values()), p.buffers.gradient_words
    if needed > most:
        raise too_small(f"gradient memory for {segment.name}", needed, most, "beats")
    return found


def _border(memory: MemoryMap, above: NetworkStage, below: NetworkStage) -> _Border:
    grid, graph = memory.grids[below.number].outputs, memory.network.graph
    apart = grid.lines(memory.images)
    if above is below:
        return _Border(apart, 0)
    handed = {each.start for each in chunks_of(graph, memory.grids[above.number].outputs)}
    others = [each for each in chunks_of(graph, grid) if each.start not in handed]
    return _Border(apart, grid.lines(sum(map(len, others))))


def _group(
    members: Sequence[tuple[NetworkStage, Segment]], beats: Sequence[Mapping[str, int]]
) -> Group:
    stages = dict.fromkeys(stage for stage, _ in members)
    stretches = tuple(
        Stretch(stage, tuple(segment for each, segment in members if each is stage))
        for stage in stages
    )
    return Group(stretches, {name: count for each in beats for name, count in each.items()})
