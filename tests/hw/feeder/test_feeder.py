"""WindowFeeder against the contract: random patterns and real ones, rate, faults."""

import pytest

from tests.harness import run_bench
from tests.hw.feeder.taking_feeder import TakingFeeder
from tests.hw.machines import machine


@pytest.mark.parametrize(("spatial_bits", "words"), [(1, 288), (2, 151)])
def test_feeder(spatial_bits: int, words: int) -> None:
    parameters = machine(
        array__spatial_bits=spatial_bits,
        array__accumulator="behavioural",
        buffers__plane_words=words,
        buffers__patterns=17,
    )
    feeder = TakingFeeder(parameters)
    run_bench(
        feeder,
        f"feeder_s{spatial_bits}",
        "tests.hw.feeder.bench_feeder",
        parameters={
            "machine": parameters.to_mapping(),
            "latency_cycles": feeder.feeder.latency_cycles,
        },
    )
