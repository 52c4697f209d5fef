"""The sequencer's passes against the loop nest, under every pattern of stalls."""

import pytest

from fractrain.hw.sequencer.pass_sequencer import PassSequencer
from tests.harness import run_bench
from tests.hw.machines import machine


@pytest.mark.parametrize("spatial_bits", [1, 4])
def test_passes_under_stalls(spatial_bits: int) -> None:
    run_bench(
        PassSequencer(machine(array__spatial_bits=spatial_bits)),
        f"pass_sequencer_{spatial_bits}",
        "tests.hw.sequencer.bench_pass_sequencer",
        parameters={
            "spatial_bits": spatial_bits,
            "latency_cycles": PassSequencer.latency_cycles,
        },
    )
