"""What the result stage does for a vector unit: tasks for two, reads between beats."""

from collections import deque

import pytest

from fractrain.hw.contract.commands import Format, Narrow, Store, encode
from fractrain.hw.contract.precision import Operand
from fractrain.hw.results.unit_ways import BeatReads, UnitTasks
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS
from tests.hw.vector.vector_machine import vector_machine

P = vector_machine()
STORE = Store(0, Operand.ACTIVATION, Operand.WEIGHT, Format.NONE)


@pytest.mark.parametrize("stalls", STALLS)
def test_tasks_of_the_unit_go_to_both(stalls: str) -> None:
    """In order, each once; STOREs and skipped ones go on only."""

    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        tasks = [
            {"index": number, "command": encode(command), "skip": draw.randrange(2)}
            for number, command in enumerate(draw.choices((Narrow(), STORE), k=60))
        ]
        simulation.source("i", *tasks, stalls=stalls)
        to = {name: simulation.sink(name, stalls=stalls) for name in ("o", "unit")}
        await simulation.until(lambda: len(to["o"].transfers) == len(tasks))
        await simulation.tick(20)
        found = {name: [each.payload.index for each in sink.transfers] for name, sink in to.items()}
        store = encode(STORE)
        wanted = [each["index"] for each in tasks if each["command"] != store and not each["skip"]]
        assert found == {"o": list(range(len(tasks))), "unit": wanted}

    simulate(UnitTasks(P), body)


def test_a_word_is_there_three_steps_after_its_read() -> None:
    """The memory's two registers and the sum's beside the turns: an answer shows the word of the
    oldest read, and no beat's."""

    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        asked: deque[int] = deque()
        registers: list[int | None] = [None, None, None]
        answers, number = 0, 0
        while answers < 200:
            step, begins, request = (draw.random() < chance for chance in (0.6, 0.5, 0.7))
            simulation.set(step=step, begins=begins, request=request)
            if simulation.get("answer"):
                assert registers[2] == asked.popleft()
                answers += 1
            granted = request and simulation.get("ready")
            assert simulation.get("ready") == (step and not begins)
            if granted:
                asked.append(number)
            if step:
                wanted = simulation.get("use")
                assert wanted == (registers[0] is not None)
                word = registers[0] if wanted else None
                registers = [number if granted else None, word, registers[1]]
            number += 1
            await simulation.tick()

    simulate(BeatReads(), body)
