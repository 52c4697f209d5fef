"""Plane memory: two banks, an output register that waits, an odd number of words."""

import pytest

from fractrain.hw.memory.plane_memory import PlaneMemory
from tests.harness import run_bench
from tests.hw.machines import machine, with_vector


@pytest.mark.parametrize("words", [288, 301])
def test_plane_memory(words: int) -> None:
    parameters = machine(buffers__plane_words=words)
    run_bench(
        PlaneMemory(parameters),
        f"plane_memory_{words}",
        "tests.hw.memory.bench_plane_memory",
        parameters={"machine": parameters.to_mapping()},
    )


@pytest.mark.parametrize("words", [288, 301])
def test_reads_of_a_move(words: int) -> None:
    parameters = with_vector(buffers__plane_words=words)
    run_bench(
        PlaneMemory(parameters),
        f"plane_memory_moves_{words}",
        "tests.hw.memory.bench_plane_moves",
        parameters={"machine": parameters.to_mapping()},
    )
