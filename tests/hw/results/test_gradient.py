"""The gradient memory and its sums: what is added, what is kept, and when it can be read again."""

from collections import deque
from dataclasses import dataclass

import pytest

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.results.gradient import WIDE_WORDS, GradientMemory, GradientSum, bank_depths
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS, stall_pattern
from tests.hw.machines import machine

MACHINES = [
    *(machine(array__cluster_columns=columns) for columns in (4, 8)),
    machine(array__cluster_columns=4, buffers__gradient_words=1536),
]
MASK = (1 << SUM_BITS) - 1


@pytest.mark.parametrize("depth", [8, WIDE_WORDS, WIDE_WORDS + 5])
@pytest.mark.parametrize("stalls", STALLS)
def test_memory(stalls: str, depth: int) -> None:
    """Two steps from address to word; old where it is written in the same cycle; or 0. Only the
    bank that has the word shows it."""
    width, places = 20, [*range(4), *range(depth - 8, depth)]
    split = bank_depths(depth)[0]

    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        stall = stall_pattern(stalls, draw)
        held = [0] * depth
        read, shown = (0, 0), [0] * memory.banks
        for _ in range(500):
            write, step = draw.random() < 0.5, not next(stall)
            to, place, word = draw.choice(places), draw.choice(places), draw.getrandbits(width)
            zero = draw.random() < 0.3
            simulation.set(
                write_enable=write,
                write_address=to,
                write_data=word,
                read_address=place,
                step=step,
                zero=zero,
            )
            assert list(simulation.get("read_data")) == shown
            if step:
                shown = [0] * memory.banks
                if not zero:
                    shown[read[0]] = read[1]
                read = int(place >= split), held[place]
            if write:
                held[to] = word
            await simulation.tick()

    memory = GradientMemory(width, depth)
    simulate(memory, body)


def test_only_words_that_no_block_ram_has_alone_are_in_two() -> None:
    assert [bank_depths(depth) for depth in (576, 1024, 1536, 2048, 3000)] == [
        [576],
        [1024],
        [1024, 512],
        [2048],
        [2048, 952],
    ]


@dataclass
class Beat:
    """A beat on its way: its word of the memory, what is done with it, and its sums."""

    address: int
    add: bool
    keep: bool
    data: int
    sums: int = 0


def added(beat: Beat, word: int, results: int) -> int:
    """Modulo 2**48, each sum by itself."""
    total = 0
    for index in range(results):
        low = SUM_BITS * index
        one = (beat.data >> low & MASK) + (word >> low & MASK if beat.add else 0)
        total |= (one & MASK) << low
    return total


async def accumulate(
    simulation: Simulation, sums: GradientSum, beats: list[Beat], stalls: str
) -> list[int]:
    """Send ``beats`` a step apart, keep as the result stage does; returns what came out."""
    stall = stall_pattern(stalls, simulation.random)
    # none, or the beats whose address, use and data are due in the next step
    path: deque[Beat | None] = deque([None] * sums.LATENCY_STEPS)
    waiting, came = deque(beats), []
    fresh = False  # what is at ``sums`` came with the last edge
    while waiting or any(path):
        step = not next(stall)
        address, use, data = (waiting[0] if waiting else None), path[-1], path[-2]
        out = path[0]
        simulation.set(
            step=(1 << sums.steps) - 1 if step else 0,
            address=address.address if address else 0,
            use=use is not None and use.add,
            data=data.data if data else 0,
            keep=out is not None and out.keep,
            keep_address=out.address if out else 0,
        )
        if out is not None and fresh:
            came.append(simulation.get("sums"))
        fresh = step
        if step:
            path.popleft()
            path.append(waiting.popleft() if waiting else None)
        await simulation.tick()
    return came


@pytest.mark.parametrize("parameters", MACHINES, ids=lambda each: f"{each.results_per_beat}")
@pytest.mark.parametrize("stalls", STALLS)
def test_sums(parameters: Parameters, stalls: str) -> None:
    """Any beats, as long as no word comes again within `LOOP_STEPS`."""
    sums, results = GradientSum(parameters), parameters.results_per_beat
    last = parameters.buffers.gradient_words - 1

    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        beats, memory = [], dict.fromkeys([*range(4), *range(last - 3, last + 1)], 0)
        recent: deque[int] = deque(maxlen=sums.LOOP_STEPS - 1)
        for _ in range(60):
            address = draw.choice([each for each in memory if each not in recent])
            recent.append(address)
            beat = Beat(
                address,
                draw.random() < 0.7,
                draw.random() < 0.7,
                draw.getrandbits(SUM_BITS * results),
            )
            beat.sums = added(beat, memory[address], results)
            if beat.keep:
                memory[address] = beat.sums
            beats.append(beat)
        came = await accumulate(simulation, sums, beats, stalls)
        assert came == [beat.sums for beat in beats]

    simulate(sums, body)


@pytest.mark.parametrize("distance", [-1, 0])
def test_a_word_can_be_read_again_after_so_many_steps(distance: int) -> None:
    """`LOOP_STEPS` is neither too small nor larger than it must be."""
    sums = GradientSum(MACHINES[1])

    async def body(simulation: Simulation) -> None:
        between = [Beat(1 + n, False, False, 0) for n in range(sums.LOOP_STEPS + distance - 1)]
        beats = [Beat(0, False, True, 1), *between, Beat(0, True, False, 2)]
        came = await accumulate(simulation, sums, beats, "never")
        assert came[-1] == (3 if distance == 0 else 2)

    simulate(sums, body)
