"""The engine's streams under every pattern of stalls, cycle by cycle in cocotb."""

from hw.mac.flavour import Flavour
from hw.matrix_engine.engine import MatrixEngine
from tests.harness import run_bench
from tests.hw.machines import machine


def test_products_under_stalls() -> None:
    run_bench(
        MatrixEngine(machine(), flavour=Flavour.SIMULATION),
        "matrix_engine",
        "tests.hw.matrix_engine.bench_engine",
    )
