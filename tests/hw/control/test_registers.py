"""Registers, counters and AXI4-Lite."""

from tests.harness import run_bench
from tests.hw.control.designs import AxiLiteRegisters
from tests.hw.machines import machine


def test_registers() -> None:
    parameters = machine()
    run_bench(
        AxiLiteRegisters(parameters),
        "axi_lite_registers",
        "tests.hw.control.bench_registers",
        parameters={
            "slots": parameters.precision.slots,
            "word_bytes": parameters.word_bytes,
            "block_bytes": parameters.block_bytes,
        },
    )
