"""The command decoder."""

import pytest

from fractrain.hw.control.decoder import CommandDecoder
from tests.harness import run_bench
from tests.hw.control.designs import DecoderWithTable
from tests.hw.machines import machine, with_vector


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


@pytest.mark.parametrize(("side_bits", "slots"), [(8, 201), (10, 256)])
def test_decoder_of_a_vector_unit(side_bits: int, slots: int) -> None:
    parameters = with_vector(vector__side_bits=side_bits, precision__slots=slots)
    timing = {
        "interval": CommandDecoder.INTERVAL_CYCLES,
        "latency": CommandDecoder.latency_cycles,
        "further": CommandDecoder.FURTHER_CYCLES,
    }
    run_bench(
        DecoderWithTable(parameters),
        f"unit_decoder_{side_bits}",
        "tests.hw.control.bench_unit_decoder",
        parameters={"machine": parameters.to_mapping()} | timing,
    )
