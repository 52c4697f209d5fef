"""What SET and FILL write, in words of one and four records, of half a line and a whole one."""

from random import Random
from typing import Any

import pytest
from amaranth.lib import wiring

from fractrain.hw.contract.commands import Fill, Set
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.fetch.line_writer import LineWriter
from fractrain.hw.fetch.record_writer import RecordWriter
from fractrain.hw.fetch.unit_targets import unit_target
from tests.harness.simulation import Simulation, simulate
from tests.hw.machines import with_vector

PRESETS = ["tiny", "zc706"]


def small(preset: str) -> Parameters:
    return with_vector(preset, vector__staging_words=101, vector__parameter_words=70)


def target(**fields: int) -> dict[str, int]:
    return dict.fromkeys(unit_target().members, 0) | fields


def written(
    component: wiring.Component, targets: list[dict[str, int]], words: list[int], count: int
) -> list[Any]:
    """The writes for ``targets``, ``count`` of them, all in time for their ends."""
    found: list[Any] = []

    async def body(simulation: Simulation) -> None:
        sink = simulation.sink("writes", stalls="random")
        source = simulation.source("targets", *targets)
        simulation.source("words", *words, stalls="rare")
        while len(source.transfers) < len(targets):
            before = len(source.transfers)
            await simulation.tick()
            if len(source.transfers) > before:
                assert len(sink.items) == count * len(source.transfers) // len(targets)
        await simulation.tick(20)
        found.extend(sink.items)

    simulate(component, body)
    return found


@pytest.mark.parametrize("preset", PRESETS)
def test_records(preset: str) -> None:
    parameters, draw = small(preset), Random(preset)
    each = parameters.word_bytes // 16
    command = Set(address=0, words=5, destination=70 - 5 * each)
    words = [draw.getrandbits(8 * parameters.word_bytes) for _ in range(2 * command.words)]
    aim = target(destination=command.destination, outer=1, count=command.words)
    found = written(RecordWriter(parameters), [aim, aim], words, 2 * 5 * each)
    records = [word >> 128 * part & (1 << 128) - 1 for word in words for part in range(each)]
    places = [command.destination + record for record in range(5 * each)] * 2
    assert [(write.address, write.data) for write in found] == list(
        zip(places, records, strict=True)
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_lines(preset: str) -> None:
    parameters, draw = small(preset), Random(preset)
    each, bits = parameters.line_bytes // parameters.word_bytes, 8 * parameters.word_bytes
    command = Fill(address=0, runs=3, lines=4, destination=7, destination_run_stride=45)
    words = [draw.getrandbits(bits) for _ in range(2 * 12 * each)]
    aim = target(destination=7, outer=command.runs, count=command.lines, destination_run_stride=45)
    found = written(LineWriter(parameters), [aim, aim], words, 2 * 12)
    lines = [
        sum(word << bits * part for part, word in enumerate(words[each * i :][:each]))
        for i in range(2 * 12)
    ]
    places = [7 + 45 * run + line for run in range(3) for line in range(4)] * 2
    assert [write.enable for write in found] == [1 << place % 2 for place in places]
    assert [
        (2 * write.address + place % 2, write.data[place % 2])
        for write, place in zip(found, places, strict=True)
    ] == list(zip(places, lines, strict=True))
