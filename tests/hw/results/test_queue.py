"""The queue behind the array: order, claims, absent planes shifted out, a beat in every cycle."""

from collections import deque

import pytest

from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.flow.ram_style import SHALLOW
from fractrain.hw.results.queue import BeatQueue, QueuePart
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS, stall_pattern
from tests.hw.machines import machine

MACHINES = [(1, 4, 3), (1, 1, 8), (2, 2, 4), (8, 8, 2)]
"""Planes side by side, columns of a cluster (beats of a tile), tiles in the queue."""


@pytest.mark.parametrize("depth", [1, 2, 3, 8, SHALLOW, SHALLOW + 1])
@pytest.mark.parametrize("writes", STALLS)
@pytest.mark.parametrize("steps", STALLS)
def test_part(depth: int, writes: str, steps: str) -> None:
    """First in, first out; what left stays on ``data`` until the next step, which shows 0 if
    nothing leaves; ``clear`` forgets what is inside."""

    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        write, step = stall_pattern(writes, draw), stall_pattern(steps, draw)
        inside: deque[int] = deque()
        shown = None
        for _ in range(400):
            clears = draw.random() < 1 / 50
            writing = not next(write) and len(inside) < depth and not clears
            stepping, wanted = not next(step), bool(inside) and draw.random() < 0.8
            word = draw.getrandbits(20)
            simulation.set(
                write=writing,
                write_data=word,
                step=stepping,
                wanted=wanted and not clears,
                clear=clears,
            )
            if shown is not None:
                assert simulation.get("data") == shown
            if clears:
                inside.clear()
            if stepping:
                shown = inside.popleft() if wanted and not clears else 0
            if writing:
                inside.append(word)
            await simulation.tick()

    simulate(QueuePart(20, depth), body)


def beat_queue(planes: int, beats: int, tiles: int) -> BeatQueue:
    return BeatQueue(
        machine(
            array__spatial_bits=planes,
            array__cluster_columns=beats,
            array__accumulator="behavioural",
            queues__result_tiles=tiles,
        )
    )


class Array:
    """Tiles as they leave the array: admitted, and some cycles later a beat in every cycle."""

    LATENCY_CYCLES = 3

    def __init__(self, simulation: Simulation, queue: BeatQueue, gaps: float) -> None:
        self.simulation, self.parameters, self.gaps = simulation, queue.parameters, gaps
        self.most_excess = 2 * (self.parameters.array.spatial_bits - 1)
        self.coming: deque[tuple[int, dict[str, object]]] = deque()
        self.expected: deque[list[int]] = deque()  # not yet out of the queue
        self.arrived = 0
        self.inside = 0
        self._free = 0

    def drive(self) -> None:
        """Once a cycle: admit a tile if there is room for it, and let a beat come if one is due."""
        draw, now, beats = (
            self.simulation.random,
            self.simulation.cycle,
            self.parameters.beats_per_tile,
        )
        room = self.parameters.queues.result_tiles * beats - self.inside
        admit = room >= beats and now >= self._free and draw.random() >= self.gaps
        excess = draw.randint(0, self.most_excess)
        if admit:
            self.inside += beats
            self._free = now + beats
            for number in range(beats):
                bits = SUM_BITS - excess
                values = [
                    draw.randrange(-(1 << bits - 1), 1 << bits - 1)
                    for _ in range(self.parameters.results_per_beat)
                ]
                self.expected.append(values)
                beat = {
                    "valid": 1,
                    "last": number == beats - 1,
                    "data": [value << excess for value in values],
                }
                self.coming.append((now + self.LATENCY_CYCLES + number, beat))
        due = bool(self.coming) and self.coming[0][0] == now
        beat = self.coming.popleft()[1] if due else {"valid": 0, "last": 0, "data": []}
        self.arrived += due
        self.simulation.set(admit=admit, excess=excess if admit else 0, beats=beat)


@pytest.mark.parametrize("sizes", MACHINES, ids=str)
@pytest.mark.parametrize("stalls", STALLS)
def test_beats(sizes: tuple[int, int, int], stalls: str) -> None:
    """In order, without the absent planes, however slowly they are claimed and taken."""
    queue = beat_queue(*sizes)

    async def body(simulation: Simulation) -> None:
        array = Array(simulation, queue, gaps=0.1)
        claims, steps = (stall_pattern(stalls, simulation.random) for _ in range(2))
        claimed, shown = 0, None  # no beat is known to be there before the first
        for _ in range(200):
            array.drive()
            claim = bool(simulation.get("available")) and not next(claims)
            step, wanted = not next(steps), claimed > 0
            simulation.set(claim=claim, step=step, wanted=wanted)
            if shown:
                assert list(simulation.get("data")) == shown
            if step:
                shown = array.expected.popleft() if wanted else [0] * len(shown or ())
            if step and wanted:
                claimed -= 1
                array.inside -= 1
            claimed += claim
            await simulation.tick()
        assert array.arrived > 15

    simulate(queue, body)


@pytest.mark.parametrize("sizes", MACHINES, ids=str)
def test_latency_and_rate(sizes: tuple[int, int, int]) -> None:
    """Available `latency_cycles` after each beat came; a beat in and a beat out in every cycle."""
    queue = beat_queue(*sizes)

    async def body(simulation: Simulation) -> None:
        array = Array(simulation, queue, gaps=0)
        came: list[int] = []
        claimed = False
        for now in range(120):
            before = array.arrived
            array.drive()
            came += [now] * (array.arrived - before)
            available = bool(simulation.get("available"))
            assert available == (now - queue.latency_cycles in came)
            simulation.set(claim=available, step=1, wanted=claimed)
            array.inside -= claimed
            claimed = available
            await simulation.tick()
        assert came == list(range(array.LATENCY_CYCLES, 120))

    simulate(queue, body)
