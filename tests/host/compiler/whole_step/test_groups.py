"""Groups of gradients: with which least goes to memory, and what their programs move."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.host.compiler.whole_step import compile_whole_step
from fractrain.host.compiler.whole_step.grids import stage_grids
from fractrain.host.compiler.whole_step.groups import gradient_beats, groups_of
from fractrain.host.compiler.whole_step.memory_map import MemoryMap
from fractrain.host.compiler.whole_step.network import Segment
from fractrain.host.compiler.whole_step.recognizing import recognize
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.step import StepGraph, build_step
from fractrain.hw.contract.commands import Command, Fill, Spill
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from tests.host.compiler.whole_step.running import small
from tests.host.compiler.whole_step.small_network import SmallNetwork
from tests.host.compiler.whole_step.test_structure import FULL, graph, planned

Cut = tuple[tuple[Segment, ...], ...]


def small_graph(blocks: Sequence[tuple[int, int]], batch: int, rows: int) -> StepGraph:
    network = SmallNetwork(8, blocks, channels=3, classes=4)
    options = StepOptions((Precision(4, 4, 6),), integers=IntegerOptions(chunk_rows=rows))
    return build_step(network, (batch, 3, 8, 8), options)


def stage_of(memory: MemoryMap, segment: Segment) -> int:
    return next(each.number for each in memory.network.stages if segment in each.segments)


def lines_to_memory(memory: MemoryMap, cut: Cut) -> int:
    """Image by image."""
    images, found = range(memory.images), 0
    integers = memory.network.graph.options.integers
    assert integers is not None
    places = [(number, each) for number, group in enumerate(cut) for each in group]
    for (group, segment), (behind, other) in pairwise(places):
        stage, below = stage_of(memory, segment), stage_of(memory, other)
        grid, above = memory.grids[below].outputs, memory.grids[stage].outputs
        sizes = [integers.chunk(len(images), each.height, each.width) for each in (above, grid)]
        if group != behind:
            stays: set[int] = set()
        elif stage == below:
            stays = set(images)
        else:
            stays = {image for image in images if image % sizes[0] < sizes[1]}
        found += grid.lines(len(images) - len(stays))
    return found


def every_cut(p: Parameters, memory: MemoryMap, stages: int) -> Iterator[Cut]:
    """All ways to cut the way back into groups that the gradient memory has room for."""

    def cuts(left: tuple[Segment, ...]) -> Iterator[Cut]:
        if not left:
            yield ()
        for size in range(1, len(left) + 1):
            group = left[:size]
            beats = sum(gradient_beats(p, layer) for each in group for layer in each.layers)
            if beats > p.buffers.gradient_words:
                return
            if len({stage_of(memory, each) for each in group}) <= stages:
                for rest in cuts(left[size:]):
                    yield (group, *rest)

    yield from cuts(tuple(reversed(memory.network.segments)))


@given(
    kinds=st.lists(st.sampled_from(["identity", "halved", "wider"]), min_size=1, max_size=4),
    batch=st.integers(1, 9),
    rows=st.sampled_from([8, 16, 32]),
    more=st.integers(0, 800),
    stages=st.integers(1, 4),
)
@settings(max_examples=200, deadline=None)
def test_no_other_groups_move_less(
    kinds: list[str], batch: int, rows: int, more: int, stages: int
) -> None:
    blocks, width = [], 8
    for number, kind in enumerate(kinds):
        width += 0 if kind == "identity" else 8
        halved = kind == "halved" and kinds[:number].count("halved") < 2
        blocks.append((width, 2 if halved else 1))
    network = recognize(small_graph(blocks, batch, rows))
    memory = MemoryMap(small(), network, stage_grids(small(), network), 0)
    beats = [sum(gradient_beats(small(), layer) for layer in s.layers) for s in network.segments]
    p = small(buffers__gradient_words=max(beats) + more)
    groups = groups_of(p, memory, stages)
    found = tuple(tuple(each.segments) for each in groups)
    possible = list(every_cut(p, memory, stages))
    assert found in possible
    assert lines_to_memory(memory, found) == min(lines_to_memory(memory, each) for each in possible)
    for each in groups:
        layers = [layer for segment in each.segments for layer in segment.layers]
        assert each.beats == {layer.name: gradient_beats(p, layer) for layer in layers}
        assert each.name == list(each.segments)[-1].name


def spilled(commands: Sequence[Command]) -> int:
    return sum(each.runs * each.lines for each in commands if isinstance(each, Spill))


@pytest.mark.parametrize(("batch", "rows"), [(8, 16), (7, 16), (5, 8), (3, 24)])
@pytest.mark.parametrize("beats", [300, 2048])
def test_a_program_spills_what_does_not_stay(batch: int, rows: int, beats: int) -> None:
    """And fills it in again, once; of E handed on nothing."""
    p = small(buffers__gradient_words=beats)
    found = compile_whole_step(p, small_graph([(8, 1), (16, 2), (24, 2)], batch, rows))
    memory = found.memory
    names = [name for _, name in found.sections if name.startswith("back to ")]
    groups = groups_of(p, memory, 3)
    assert names == [f"back to {each.name}" for each in groups]
    wanted = lines_to_memory(memory, tuple(tuple(each.segments) for each in groups))
    assert spilled(found.commands) == wanted
    fills = [each for each in found.commands if isinstance(each, Fill)]
    spread = memory.grids[-1].outputs.groups * batch
    assert sum(each.runs * each.lines for each in fills) == wanted + spread


def test_networks_that_are_trained_hand_errors_on() -> None:
    """ResNet-38 between its first two stages; ResNet-8, too, as there is no room for all three."""
    for model, back in (
        ("resnet38", ["stage1.block1.first", "first"]),
        ("resnet8", ["stage2.block0.first", "first"]),
    ):
        found = compile_whole_step(planned(), graph(model, (FULL,)))
        assert [name.split()[-1] for _, name in found.sections][-2:] == back
        assert dataclasses.astuple(found.residency) == (2, True, True)
