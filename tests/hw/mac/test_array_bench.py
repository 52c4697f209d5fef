"""The array cycle by cycle in cocotb, with bubbles and resets."""

import dataclasses

import pytest

from fractrain.hw.mac.array import Flavour, MacArray
from tests.harness import run_bench
from tests.hw.mac.test_array import SMALL, array_of


@pytest.mark.parametrize("planes", [2])
def test_array(planes: int) -> None:
    parameters = array_of(spatial_bits=planes, **SMALL[planes])
    array = MacArray(parameters, flavour=Flavour.SIMULATION)
    run_bench(
        array,
        f"array_bench_{planes}",
        "tests.hw.mac.bench_array",
        parameters={
            "array": dataclasses.asdict(parameters),
            "latency_cycles": array.latency_cycles,
        },
    )
