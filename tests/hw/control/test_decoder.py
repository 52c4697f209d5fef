"""The command decoder."""

import pytest

from fractrain.hw.control.decoder import CommandDecoder
from tests.harness import run_bench
from tests.hw.control.designs import DecoderWithTable
from tests.hw.machines import machine


@pytest.mark.parametrize("spatial_bits", [1, 4])
def test_decoder(spatial_bits: int) -> None:
    changes = (
        {"array__accumulator": "behavioural", "precision__slots": 13} if spatial_bits > 1 else {}
    )
    parameters = machine(array__spatial_bits=spatial_bits, **changes)
    timing = {"interval": CommandDecoder.INTERVAL_CYCLES, "latency": CommandDecoder.latency_cycles}
    run_bench(
        DecoderWithTable(parameters),
        f"decoder_{spatial_bits}",
        "tests.hw.control.bench_decoder",
        parameters={"machine": parameters.to_mapping()} | timing,
    )
