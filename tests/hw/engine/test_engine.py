"""The whole engine: small programs, all faults, counters, interrupt."""

import dataclasses

from fractrain.hw.contract.vector_parameters import VECTOR_DEFAULTS
from fractrain.hw.engine.engine import ConvolutionEngine
from fractrain.hw.mac.flavour import Flavour
from tests.harness import run_bench
from tests.hw.machines import machine
from tests.hw.refusals import assert_refused


def test_engine() -> None:
    parameters = machine()
    run_bench(
        ConvolutionEngine(parameters, flavour=Flavour.SIMULATION, build_hash=0x1234),
        "tiny_engine",
        "tests.hw.engine.bench_engine",
        parameters={"machine": parameters.to_mapping()},
    )


def test_there_is_no_gateware_of_a_vector_unit_yet() -> None:
    with_one = machine(vector=dataclasses.asdict(VECTOR_DEFAULTS[8]))
    assert_refused(
        lambda: ConvolutionEngine(with_one, flavour=Flavour.SIMULATION),
        "vector: got .* no vector section",
    )
