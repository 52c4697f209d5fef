"""Bursts share the DDR: their times against sums that can be done by hand."""

import pytest

from fractrain.sim.cycles.kernel import Kernel, Process
from fractrain.sim.cycles.memory import Burst, Ddr, granules
from fractrain.sim.memory_model import MemoryModel

IDEAL = MemoryModel.ideal()
HALF = MemoryModel(bytes_per_cycle=8.0)
"""One beat per cycle for all ports together."""


def end_times(
    model: MemoryModel, *flows: tuple[bool, list[tuple[int, float]]]
) -> list[list[float]]:
    """When the bursts (beats, due) of each flow (writes?) have moved."""
    kernel = Kernel()
    ddr = Ddr(kernel, model)
    bursts: list[list[Burst]] = []

    def add() -> Process:
        for writes, wanted in flows:
            flow = ddr.flow(writes)
            bursts.append([ddr.add(flow, beats, due) for beats, due in wanted])
        yield kernel.now

    kernel.start(add())
    kernel.run()
    return [[round(burst.end or -1, 6) for burst in each] for each in bursts]


def test_a_flow_moves_a_beat_per_cycle_in_order() -> None:
    assert end_times(IDEAL, (False, [(16, 5.0), (8, 0.0), (4, 100.0)])) == [[21, 29, 104]]


def test_flows_do_not_disturb_each_other_without_a_limit() -> None:
    assert end_times(IDEAL, (False, [(16, 0.0)]), (True, [(16, 4.0)])) == [[16], [20]]


def test_a_limit_is_shared_equally() -> None:
    # alone until 4, then half the rate each until the first is done, then alone again
    assert end_times(HALF, (False, [(8, 0.0)]), (False, [(8, 4.0)])) == [[12], [16]]


def test_mixed_traffic_costs_more() -> None:
    model = MemoryModel(bytes_per_cycle=8.0, mixed_efficiency=0.5)
    # a beat in every other cycle, in which it is always the write's turn; then the read alone
    assert end_times(model, (False, [(4, 0.0)]), (True, [(4, 0.0)])) == [[12], [8]]
    # turns 0, 1, 2, 3 are those of the first port, the second, the second, and the first again
    assert end_times(model, (False, [(4, 0.0)]), (False, [(4, 0.0)])) == [[8], [7]]


@pytest.mark.parametrize(
    ("address", "size", "pieces"),
    [(0, 128, [128]), (64, 128, [64, 64]), (16, 300, [112, 128, 60]), (96, 32, [32]), (0, 0, [])],
)
def test_granules(address: int, size: int, pieces: list[int]) -> None:
    assert granules(address, size) == pieces
