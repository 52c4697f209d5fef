"""The fetch stage of a machine with a vector unit."""

import pytest

from fractrain.hw.fetch.vector_stage import VectorFetchStage
from tests.harness import run_bench
from tests.hw.machines import with_vector


@pytest.mark.parametrize(("preset", "side_bits"), [("tiny", 11), ("zc706", 8)])
def test_vector_fetch_stage(preset: str, side_bits: int) -> None:
    parameters = with_vector(
        preset,
        vector__staging_words=101,
        vector__side_words=130,
        vector__side_bits=side_bits,
        vector__parameter_words=70,
        buffers__plane_words=300,
        buffers__column_words=99,
    )
    run_bench(
        VectorFetchStage(parameters),
        f"vector_fetch_stage_{preset}",
        "tests.hw.fetch.bench_vector_fetch_stage",
        parameters=parameters.to_mapping(),
    )
