"""The peak memory: maxima, sums, reads that clear, from both users at any pace."""

from random import Random
from typing import Any

import pytest

from fractrain.hw.vector.peaks import PEAK_BITS, PeakMemory
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS
from tests.hw.vector.machines import machine_with_unit

WORDS = 16
P = machine_with_unit(peak_words=WORDS)
COUNT = 60


def drawn(draw: Random) -> int:
    """All sizes, ends among them."""
    return draw.getrandbits(draw.randint(1, PEAK_BITS)) | draw.choice((0, 0, (1 << 63)))


def with_named_streams(memory: PeakMemory) -> PeakMemory:
    """Its streams by names that a `Simulation` finds."""
    memory.values_0, memory.values_1 = memory.values
    return memory


class Memory:
    """What it must hold, carried out in the order of the transfers."""

    def __init__(self) -> None:
        self.words = [0] * WORDS

    def take(self, value: dict[str, int]) -> None:
        old = self.words[value["address"]]
        if value["adds"]:
            new = (old + value["value"]) % (1 << PEAK_BITS)
        else:
            new = max(old, value["value"])
        self.words[value["address"]] = new

    def read(self, read: dict[str, int]) -> int:
        found = self.words[read["address"]]
        if read["clear"]:
            self.words[read["address"]] = 0
        return found


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("places", [1, WORDS])
def test_both_users_and_reads(stalls: str, places: int) -> None:
    memory = with_named_streams(PeakMemory(P))

    async def body(simulation: Simulation) -> None:
        draw, model = simulation.random, Memory()
        clears = [{"address": address, "clear": 1} for address in range(WORDS)]
        reads = simulation.source("reads", *clears)
        answers: list[tuple[int, int]] = []

        async def tick() -> None:
            if simulation.get("answer"):
                answers.append((simulation.cycle, simulation.get("data")))
            await simulation.tick()

        while not reads.drained:
            await tick()
        values = [Values(simulation, number, draw, places, stalls) for number in range(2)]
        later = simulation.source("reads", stalls=stalls)
        for _ in range(COUNT):
            later.send({"address": draw.randrange(places), "clear": draw.randint(0, 1)})
        while not (later.drained and all(each.source.drained for each in values)):
            await tick()
        for _ in range(memory.INTERVAL_CYCLES):
            await tick()
        done: list[tuple[int, Any]] = [
            (transfer.cycle, (each, transfer.payload))
            for each in (values[0].source, values[1].source, later)
            for transfer in each.transfers
        ]
        assert len({cycle for cycle, _ in done}) == len(done)
        found = dict(answers)
        for cycle, (source, payload) in sorted(done, key=lambda each: each[0]):
            if source is later:
                assert found[cycle + memory.READ_CYCLES] == model.read(payload)
            else:
                model.take(payload)
        assert len(answers) == WORDS + COUNT
        cycles = sorted(cycle for cycle, _ in done)
        gaps = [after - before for before, after in zip(cycles, cycles[1:], strict=False)]
        assert min(gaps) == memory.INTERVAL_CYCLES

    simulate(memory, body)


class Values:
    """What one user brings."""

    def __init__(
        self, simulation: Simulation, number: int, draw: Random, places: int, stalls: str
    ) -> None:
        self.source = simulation.source(f"values_{number}", stalls=stalls)
        for _ in range(COUNT):
            value = {"address": draw.randrange(places), "value": drawn(draw)}
            self.source.send(value | {"adds": int(draw.random() < 0.3)})


def test_the_result_stage_first_and_reads_last() -> None:
    memory = with_named_streams(PeakMemory(P))

    async def body(simulation: Simulation) -> None:
        nothing = {"address": 0, "value": 0, "adds": 0}
        sources = [
            simulation.source("reads", {"address": 0, "clear": 0}),
            simulation.source("values_1", nothing),
            simulation.source("values_0", nothing),
        ]
        await simulation.until(lambda: sources[0].drained)
        order = [each.transfers[0].cycle for each in sources]
        assert order == sorted(order, reverse=True)

    simulate(memory, body)
