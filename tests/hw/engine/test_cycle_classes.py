"""Every cycle under one cause, for every state that the execute stage can show."""

import itertools
from collections import deque

from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.registers import COUNTERS
from fractrain.hw.engine.cycle_classes import CycleClasses
from tests.harness.simulation import Simulation, simulate

FLAGS = "running issued blocked_operand blocked_result waiting idle held blocked for_load".split()
NUMBERS = {counter.name: counter.number for counter in COUNTERS}


def cause(flags: dict[str, bool]) -> str:
    """The first that holds, as the table of docs/engine.md has them."""
    stalled = flags["waiting"] and flags["blocked"]
    causes = {
        "BUSY": flags["issued"],
        "STALL_OPERAND": flags["blocked_operand"],
        "STALL_RESULT": flags["blocked_result"],
        "STALL_MEMORY": stalled and flags["for_load"],
        "STALL_TOKEN": stalled,
        "OTHER_CYCLES": True,
    }
    return next(name for name, holds in causes.items() if holds)


def owner(flags: dict[str, bool], tag: int, gate_tag: int, last_tag: int) -> int:
    """The pass at hand, then the task that is held back, then the last that came in."""
    if not flags["waiting"]:
        return tag
    if flags["blocked"] or (flags["idle"] and flags["held"]):
        return gate_tag
    return int(Tag.OTHER) if flags["idle"] else last_tag


def test_every_state() -> None:
    """One after the other; tags change in every cycle, and tasks come in at random."""
    states = list(itertools.product([False, True], repeat=len(FLAGS)))

    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        tags = [int(tag) for tag in Tag]
        last_tag, expected = 0, deque([(0, 0, 0)] * CycleClasses.LATENCY_CYCLES)
        for state in draw.sample(states * 2, 2 * len(states)):
            flags = dict(zip(FLAGS, state, strict=True))
            tag, gate_tag, passed = draw.choice(tags), draw.choice(tags), draw.random() < 0.3
            simulation.set(tag=tag, gate_tag=gate_tag, passed=passed, **flags)
            last_tag = gate_tag if passed else last_tag
            expected.append(
                (flags["running"], NUMBERS[cause(flags)], owner(flags, tag, gate_tag, last_tag))
            )
            running, number, found_tag = expected.popleft()
            cycle = simulation.get("cycle")
            assert cycle["valid"] == running
            if running:
                assert (cycle["number"], cycle["tag"]) == (number, found_tag)
            await simulation.tick()

    simulate(CycleClasses(), body)


def test_the_causes_are_the_first_counters() -> None:
    flags = dict.fromkeys(FLAGS, False)
    assert cause(flags) == "OTHER_CYCLES"
    assert {NUMBERS[name] for name in ("BUSY", "OTHER_CYCLES")} <= set(range(6))
