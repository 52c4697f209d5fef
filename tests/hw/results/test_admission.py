"""Admission of tiles: never more than have room, never closer than their beats, never later."""

import itertools
from collections.abc import Iterable

import pytest

from fractrain.hw.results.admission import TileAdmission
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS, stall_pattern
from tests.hw.machines import machine

SIZES = [(4, 8), (4, 2), (1, 4), (8, 2)]
"""Columns of a cluster, which are the beats of a tile, and tiles that may be on their way."""


class Reference:
    """From the docstring: what is on its way, and when the last one was admitted."""

    def __init__(self, beats: int, tiles: int) -> None:
        self.beats, self.most = beats, tiles
        self.inside = 0
        self.since = beats  # cycles since the last admission

    @property
    def ready(self) -> bool:
        return self.inside < self.most and self.since >= self.beats

    def step(self, admit: bool, left: bool) -> None:
        self.inside += admit - left
        self.since = 1 if admit else self.since + 1


async def play(
    simulation: Simulation, reference: Reference, wishes: Iterable[tuple[bool, bool]]
) -> int:
    """Admit and let leave as ``wishes`` say, where that is allowed; returns admissions."""
    admitted = 0
    for wants, leaves in wishes:
        assert simulation.get("ready") == reference.ready
        assert simulation.get("empty") == (reference.inside == 0)
        admit, left = wants and reference.ready, leaves and reference.inside > 0
        simulation.set(admit=admit, left=left)
        reference.step(admit, left)
        admitted += admit
        await simulation.tick()
    return admitted


def admission(beats: int, tiles: int) -> TileAdmission:
    return TileAdmission(machine(array__cluster_columns=beats, queues__result_tiles=tiles))


@pytest.mark.parametrize(("beats", "tiles"), SIZES)
@pytest.mark.parametrize("wants", STALLS)
@pytest.mark.parametrize("leaves", STALLS)
def test_random(beats: int, tiles: int, wants: str, leaves: str) -> None:
    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        patterns = zip(
            (not stall for stall in stall_pattern(wants, draw)),
            (not stall for stall in stall_pattern(leaves, draw)),
            strict=True,
        )
        wishes = itertools.islice(patterns, 600)
        assert await play(simulation, Reference(beats, tiles), wishes)

    simulate(admission(beats, tiles), body)


@pytest.mark.parametrize(("beats", "tiles"), [(1, 2), (2, 2)])
def test_every_sequence(beats: int, tiles: int) -> None:
    """All of five cycles, one behind the other, from whatever state the one before has left."""

    async def body(simulation: Simulation) -> None:
        steps = list(itertools.product([False, True], repeat=2))
        sequences = itertools.product(steps, repeat=5)
        await play(simulation, Reference(beats, tiles), itertools.chain.from_iterable(sequences))

    simulate(admission(beats, tiles), body)


@pytest.mark.parametrize(("beats", "tiles"), SIZES)
def test_rate(beats: int, tiles: int) -> None:
    """A tile in every `beats_per_tile` cycles, if each leaves in time for the next."""

    async def body(simulation: Simulation) -> None:
        count = 50 * beats
        assert await play(simulation, Reference(beats, tiles), [(True, True)] * count) == 50

    simulate(admission(beats, tiles), body)
