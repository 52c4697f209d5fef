"""Blocks over one to four ports: data, bursts, faults, clear, rate."""

import pytest

from fractrain.hw.axi.block_writer import BlockWriter
from tests.harness import run_bench
from tests.hw.machines import machine

MODULE = "tests.hw.axi.bench_block_writer"
LATENCIES = (BlockWriter.ADDRESS_LATENCY_CYCLES, BlockWriter.DATA_LATENCY_CYCLES)


def run(preset: str, ports: int, testcase: str | None = None, module: str = MODULE) -> None:
    changes = {"memory__ports": ports}
    run_bench(
        BlockWriter(machine(preset, **changes)),
        f"block_writer_{preset}_{ports}",
        module,
        parameters={"preset": preset, "changes": changes, "runs": 40, "latencies": LATENCIES},
        testcase=testcase,
    )


@pytest.mark.parametrize(("preset", "ports"), [("tiny", 2), ("zc706", 4)])
def test_all(preset: str, ports: int) -> None:
    run(preset, ports)


@pytest.mark.parametrize("testcase", ["blocks_arrive", "every_alignment", "full_rate"])
@pytest.mark.parametrize(("preset", "ports"), [("tiny", 3), ("zc706", 1)])
def test_data_with_other_numbers_of_ports(preset: str, ports: int, testcase: str) -> None:
    run(preset, ports, testcase)


def test_memory_of_cocotbext_axi() -> None:
    run("tiny", 2, "writes", "tests.hw.axi.bench_cocotbext_axi")
