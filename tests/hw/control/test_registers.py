"""Registers, counters and AXI4-Lite."""

import pytest

from fractrain.hw.contract.parameters import Parameters
from tests.harness import run_bench
from tests.hw.control.designs import AxiLiteRegisters
from tests.hw.machines import machine, with_vector

BENCH = "tests.hw.control.bench_registers"
UNIT_BENCH = "tests.hw.control.bench_unit_registers"


@pytest.mark.parametrize(
    ("name", "parameters", "bench"),
    [
        ("axi_lite_registers", machine(), BENCH),
        ("axi_lite_registers_unit", with_vector(), BENCH),
        ("axi_lite_registers_unit", with_vector(), UNIT_BENCH),
    ],
)
def test_registers(name: str, parameters: Parameters, bench: str) -> None:
    run_bench(
        AxiLiteRegisters(parameters),
        name,
        bench,
        parameters={
            "slots": parameters.precision.slots,
            "word_bytes": parameters.word_bytes,
            "block_bytes": parameters.block_bytes,
            "unit": parameters.vector is not None,
        },
    )
