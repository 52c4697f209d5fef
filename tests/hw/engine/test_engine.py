"""The whole engine: small programs, all faults, counters, interrupt."""

from fractrain.hw.engine.engine import ConvolutionEngine
from fractrain.hw.mac.flavour import Flavour
from tests.harness import run_bench
from tests.hw.machines import machine


def test_engine() -> None:
    parameters = machine()
    run_bench(
        ConvolutionEngine(parameters, flavour=Flavour.SIMULATION, build_hash=0x1234),
        "tiny_engine",
        "tests.hw.engine.bench_engine",
        parameters={"machine": parameters.to_mapping()},
    )
