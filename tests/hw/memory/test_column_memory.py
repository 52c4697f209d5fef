"""The column memory: parts written by themselves, words read with groups masked."""

import pytest

from fractrain.hw.memory.column_memory import ColumnMemory
from tests.harness import run_bench
from tests.hw.machines import machine


@pytest.mark.parametrize("spatial_bits", [1, 4])
def test_reads_and_writes(spatial_bits: int) -> None:
    parameters = machine(array__spatial_bits=spatial_bits)
    run_bench(
        ColumnMemory(parameters),
        f"column_memory_{spatial_bits}",
        "tests.hw.memory.bench_column_memory",
        parameters={"machine": parameters.to_mapping()},
    )
