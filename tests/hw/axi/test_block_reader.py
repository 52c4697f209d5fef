"""Runs of words over one to four ports: data, bursts, faults, clear, rate."""

import pytest

from fractrain.hw.axi.block_reader import BlockReader
from tests.harness import run_bench
from tests.hw.machines import machine
from tests.hw.vector.memory_bench import VECTOR

MODULE = "tests.hw.axi.bench_block_reader"
LATENCIES = (BlockReader.REQUEST_LATENCY_CYCLES, BlockReader.WORD_LATENCY_CYCLES)


def run(
    preset: str,
    ports: int,
    spatial_bits: int,
    testcase: str | None = None,
    module: str = MODULE,
    **further: object,
) -> None:
    changes = {
        **further,
        "memory__ports": ports,
        "array__spatial_bits": spatial_bits,
        "array__accumulator": "behavioural",  # of no interest here, but it can do any width
    }
    run_bench(
        BlockReader(machine(preset, **changes)),
        "_".join(map(str, ("block_reader", preset, ports, spatial_bits, *further))),
        module,
        parameters={"preset": preset, "changes": changes, "runs": 40, "latencies": LATENCIES},
        testcase=testcase,
    )


@pytest.mark.parametrize(("preset", "ports", "spatial_bits"), [("tiny", 2, 1), ("zc706", 4, 1)])
def test_all(preset: str, ports: int, spatial_bits: int) -> None:
    run(preset, ports, spatial_bits)


@pytest.mark.parametrize("testcase", ["words_come_in_order", "every_alignment", "full_rate"])
@pytest.mark.parametrize(("preset", "ports", "spatial_bits"), [("tiny", 1, 8), ("zc706", 3, 8)])
def test_data_with_wide_words(preset: str, ports: int, spatial_bits: int, testcase: str) -> None:
    run(preset, ports, spatial_bits, testcase)


@pytest.mark.parametrize(
    "testcase", ["words_come_in_order", "nothing_outside_the_window", "errors_of_memory"]
)
def test_a_vector_unit_is_a_third_client(testcase: str) -> None:
    run("tiny", 2, 1, testcase, vector=VECTOR)


def test_memory_of_cocotbext_axi() -> None:
    run("tiny", 2, 1, "reads", "tests.hw.axi.bench_cocotbext_axi")
