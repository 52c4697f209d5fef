"""The fault collector, for every order of two faults."""

import itertools

import pytest
from amaranth.sim import Simulator, SimulatorContext

from fractrain.hw.contract.commands import Fault
from fractrain.hw.control.faults import FaultCollector

SOURCES = 3


@pytest.mark.parametrize("gap", [0, 1, 2, 5])
@pytest.mark.parametrize("first, second", list(itertools.permutations(range(SOURCES), 2)))
def test_first_fault_wins(first: int, second: int, gap: int) -> None:
    collector = FaultCollector(SOURCES)
    causes = {first: Fault.TIMEOUT, second: Fault.OPCODE}

    async def run(context: SimulatorContext) -> None:
        for _ in range(2):
            assert not context.get(collector.halt)
            for cycle in range(gap + 4):
                for source, when in ((first, 0), (second, gap)):
                    context.set(collector.fault[source], causes[source] if cycle == when else 0)
                    context.set(collector.index[source], 100 * source + cycle)
                await context.tick()
                assert context.get(collector.halt), "from the next cycle on"
            winner = first if gap else max(first, second)
            assert context.get(collector.failed)
            assert context.get(collector.cause) == causes[winner]
            assert context.get(collector.fault_index) == 100 * winner
            context.set(collector.clear, 1)
            await context.tick()
            context.set(collector.clear, 0)
            assert not context.get(collector.failed)

    simulator = Simulator(collector)
    simulator.add_clock(1e-6)
    simulator.add_testbench(run)
    simulator.run()
