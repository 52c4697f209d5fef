"""The latency that the manifest states is the one that the execute stage has."""

import pytest
from amaranth.sim import Simulator, SimulatorContext

from hw.mac.flavour import Flavour
from hw.matrix_engine.execute import ExecuteStage
from tests.hw.machines import small_machine

CYCLE_LIMIT = 200


@pytest.mark.parametrize("spatial_bits", [1, 2])
@pytest.mark.parametrize("lanes", [4, 8])
def test_cycles_from_the_last_pass_to_the_first_beat(spatial_bits: int, lanes: int) -> None:
    parameters = small_machine(spatial_bits, array__lanes=lanes)
    stage = ExecuteStage(parameters, flavour=Flavour.SIMULATION)
    operand = {"digits": 2, "tail": 1, "signed": 0, "address": 0, "stride": 2}
    task = {"start": 1, "finish": 1, "slices": 3, "row": operand, "column": operand}
    seen: dict[str, int] = {}

    async def run(context: SimulatorContext) -> None:
        context.set(stage.may_finish, 1)
        context.set(stage.tasks.payload, task)
        context.set(stage.tasks.valid, 1)
        for cycle in range(CYCLE_LIMIT):
            await context.delay(1e-9)  # what is combinational has settled
            if context.get(stage.finish):
                seen["finish"] = cycle
            if context.get(stage.beats.valid):
                seen["beat"] = cycle
                return
            await context.tick()
            context.set(stage.tasks.valid, 0)

    simulator = Simulator(stage)
    simulator.add_clock(1e-6)
    simulator.add_testbench(run)
    simulator.run()
    assert seen["finish"] == 12, "3 slices of 2 x 2 digits, the first issued in cycle 1"
    assert seen["beat"] - seen["finish"] == stage.latency_cycles
