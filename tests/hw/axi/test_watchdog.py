"""The watchdog: once, and exactly when nothing has moved for the limit."""

import pytest

from fractrain.hw.axi.watchdog import Watchdog
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS, stall_pattern


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 40])
def test_expires_once(limit: int) -> None:
    async def body(simulation: Simulation) -> None:
        simulation.set(limit=limit)
        await simulation.tick(10)
        for _ in range(3):
            begin = simulation.cycle
            simulation.set(waiting=1)
            expired = []
            for _ in range(4 * limit + 20):
                if simulation.get("expired"):
                    expired.append(simulation.cycle - begin)
                await simulation.tick()
            assert expired == [limit + Watchdog.LATENCY_CYCLES]
            simulation.set(progress=1)
            await simulation.tick()
            simulation.set(progress=0, waiting=0)
            await simulation.tick(10)

    simulate(Watchdog(), body)


@pytest.mark.parametrize("waits", STALLS)
@pytest.mark.parametrize("moves", STALLS)
def test_against_the_count(waits: str, moves: str) -> None:
    """Whatever comes when: it expires as the count of cycles without progress exceeds the limit."""
    limit = 5

    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        stopped, moving = stall_pattern(waits, draw), stall_pattern(moves, draw)
        simulation.set(limit=limit)
        await simulation.tick(10)
        count, history = 0, [False] * Watchdog.LATENCY_CYCLES
        for _ in range(800):
            waiting, progress = not next(stopped), next(moving)
            simulation.set(waiting=waiting, progress=progress)
            count = count + 1 if waiting and not progress else 0
            history.append(count == limit + 1)
            assert simulation.get("expired") == history.pop(0)
            await simulation.tick()

    simulate(Watchdog(), body)


def test_zero_waits_for_ever() -> None:
    async def body(simulation: Simulation) -> None:
        simulation.set(waiting=1)
        for _ in range(200):
            assert not simulation.get("expired")
            await simulation.tick()

    simulate(Watchdog(), body)
