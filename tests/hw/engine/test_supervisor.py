"""From START to END, to a fault, and through RESET: every way that a program can go."""

import pytest

from fractrain.hw.engine.supervisor import Supervisor
from tests.harness.simulation import Simulation, simulate

RESET_CYCLES = 5
STATE = ("running", "reset", "idle", "done", "draining")


def state(simulation: Simulation) -> set[str]:
    return {name for name in STATE if simulation.get(name)}


async def pulse(simulation: Simulation, name: str) -> None:
    """``name`` is 1 for a cycle."""
    simulation.set(**{name: 1})
    await simulation.tick()
    simulation.set(**{name: 0})


async def settled(simulation: Simulation) -> None:
    simulation.set(quiet=1)
    await simulation.tick(3)
    assert state(simulation) == {"idle"}


def test_a_program_runs_to_its_end() -> None:
    async def body(simulation: Simulation) -> None:
        await settled(simulation)
        for _ in range(3):
            await pulse(simulation, "start")
            for _ in range(10):
                assert state(simulation) <= {"running"} and simulation.get("running")
                assert not simulation.get("attention")
                await simulation.tick()
            await pulse(simulation, "finished")
            assert "done" in state(simulation) and simulation.get("attention")
            assert "running" not in state(simulation)
            await simulation.tick()
            assert not simulation.get("attention")
            await simulation.tick()
            assert state(simulation) == {"done", "idle"}

    simulate(Supervisor(RESET_CYCLES), body)


def test_a_fault_stops_it_and_says_so_once() -> None:
    """It stays not idle until RESET, and is not done."""

    async def body(simulation: Simulation) -> None:
        await settled(simulation)
        await pulse(simulation, "start")
        await simulation.tick(4)
        simulation.set(halt=1)
        attention = 0
        for cycle in range(12):
            simulation.set(failed=cycle >= 1)
            attention += simulation.get("attention")
            await simulation.tick()
            assert not state(simulation) & {"running", "done", "idle"}
        assert attention == 1
        await pulse(simulation, "reset_request")
        simulation.set(halt=0, failed=0)
        await simulation.until(lambda: simulation.get("idle"))
        assert state(simulation) == {"idle"}

    simulate(Supervisor(RESET_CYCLES), body)


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("quiet_after", [0, 3, 20])
def test_reset(running: bool, quiet_after: int) -> None:
    """For so many cycles; idle only when memory owes nothing any more."""

    async def body(simulation: Simulation) -> None:
        await settled(simulation)
        if running:
            await pulse(simulation, "start")
            await simulation.tick(3)
        simulation.set(quiet=quiet_after == 0, reset_request=1)
        assert simulation.get("reset_next")
        reset, announced = [], []
        for cycle in range(quiet_after + RESET_CYCLES + 10):
            quiet = cycle >= quiet_after
            simulation.set(quiet=quiet, reset_request=cycle == 0)
            reset.append(simulation.get("reset"))
            announced.append(simulation.get("reset_next"))
            if simulation.get("idle"):
                assert cycle > quiet_after and not simulation.get("reset") or cycle == 0
            if cycle > 1:  # two registers behind
                assert simulation.get("draining") == (cycle - 2 < quiet_after)
            await simulation.tick()
        assert reset[1:] == announced[:-1]
        assert reset == [0] + [1] * RESET_CYCLES + [0] * (len(reset) - RESET_CYCLES - 1)
        assert state(simulation) == {"idle"}

    simulate(Supervisor(RESET_CYCLES), body)


def test_a_second_reset_begins_anew() -> None:
    async def body(simulation: Simulation) -> None:
        await settled(simulation)
        await pulse(simulation, "reset_request")
        await simulation.tick(RESET_CYCLES - 2)
        await pulse(simulation, "reset_request")
        for _ in range(RESET_CYCLES):
            assert simulation.get("reset")
            await simulation.tick()
        assert not simulation.get("reset")

    simulate(Supervisor(RESET_CYCLES), body)
