"""The sequencer's passes against the loop nest, under every pattern of stalls."""

import pytest

from hw.sequencer.plane_sequencer import PlaneSequencer
from tests.harness import run_bench
from tests.hw.machines import machine


@pytest.mark.parametrize("spatial_bits", [1, 4])
def test_passes_under_stalls(spatial_bits: int) -> None:
    run_bench(
        PlaneSequencer(machine(array__spatial_bits=spatial_bits)),
        f"plane_sequencer_{spatial_bits}",
        "tests.hw.sequencer.bench_plane_sequencer",
        parameters={"spatial_bits": spatial_bits},
    )
