"""The execute stage against NumPy: with windows that are made up, and with its own feeder."""

import pytest

from fractrain.hw.engine.execute import ExecuteStage
from fractrain.hw.mac.flavour import Flavour
from tests.harness import run_bench
from tests.hw.engine.window_source import WindowSource
from tests.hw.machines import machine


@pytest.mark.parametrize("spatial_bits", [2])
def test_given_windows(spatial_bits: int) -> None:
    parameters = machine(array__spatial_bits=spatial_bits)
    feeder = WindowSource(parameters)
    stage = ExecuteStage(parameters, flavour=Flavour.SIMULATION, feeder=feeder)
    run_bench(
        stage,
        f"execute_stage_{spatial_bits}",
        "tests.hw.engine.bench_execute",
        parameters={
            "machine": parameters.to_mapping(),
            "latency_cycles": stage.latency_cycles,
        },
    )


def test_with_its_feeder() -> None:
    parameters = machine(buffers__plane_words=288, buffers__patterns=17)
    stage = ExecuteStage(parameters, flavour=Flavour.SIMULATION)
    run_bench(
        stage,
        "execute_stage",
        "tests.hw.engine.bench_execute_feeder",
        parameters={"machine": parameters.to_mapping(), "latency_cycles": stage.latency_cycles},
    )
