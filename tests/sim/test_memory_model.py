"""The memory model: its numbers and what it refuses."""

import dataclasses

import pytest

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.sim.memory_model import CREDIT_UNIT, MemoryModel

ZC706 = load_parameters("zc706")


def test_ddr_has_the_measured_rates() -> None:
    model = MemoryModel.ddr(ZC706)
    bytes_per_second = {
        kind: 8 * model.earned_credit / cost * 200e6
        for kind, cost in (
            ("read", model.read_cost),
            ("write", model.write_cost),
            ("mixed", model.mixed_cost),
        )
    }
    assert bytes_per_second["read"] == pytest.approx(0.97 * 4264e6, rel=1e-4)
    assert bytes_per_second["write"] == pytest.approx(0.90 * 4264e6, rel=1e-4)
    assert bytes_per_second["mixed"] == pytest.approx(0.87 * 4264e6, rel=1e-4)


def test_a_faster_clock_gets_fewer_bytes_per_cycle_and_longer_latencies() -> None:
    slow, fast = (
        MemoryModel.ddr(dataclasses.replace(ZC706, clock_mhz=clock)) for clock in (100, 250)
    )
    assert slow.earned_credit == pytest.approx(2.5 * fast.earned_credit, rel=1e-4)
    assert slow.read_latency_cycles < fast.read_latency_cycles


def test_ideal_has_no_limit() -> None:
    assert MemoryModel.ideal().earned_credit == 0
    assert MemoryModel.ideal().read_cost == 8 * CREDIT_UNIT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bytes_per_cycle", 0),
        ("read_efficiency", 1.1),
        ("write_efficiency", 0),
        ("read_latency_cycles", 0),
        ("accepted_bursts", 65),
        ("write_buffer_beats", 8),
    ],
)
def test_impossible_memories_are_refused(name: str, value: float) -> None:
    with pytest.raises(ParameterError, match=name):
        MemoryModel(**{name: value})  # type: ignore[arg-type]
