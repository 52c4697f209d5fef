"""The fetch stage: every word to its place, faults, rate."""

import pytest

from fractrain.hw.fetch.stage import FetchStage
from tests.harness import run_bench
from tests.hw.machines import machine


# depths that are no powers of two in the second
@pytest.mark.parametrize(
    ("spatial_bits", "plane_words", "column_words"), [(1, 512, 128), (2, 300, 99), (8, 512, 128)]
)
def test_fetch_stage(spatial_bits: int, plane_words: int, column_words: int) -> None:
    parameters = machine(
        array__spatial_bits=spatial_bits,
        array__accumulator="behavioural",
        buffers__plane_words=plane_words,
        buffers__column_words=column_words,
    )
    run_bench(
        FetchStage(parameters),
        f"fetch_stage_{spatial_bits}",
        "tests.hw.fetch.bench_fetch_stage",
        parameters=parameters.to_mapping(),
    )
