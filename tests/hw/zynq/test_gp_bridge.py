"""GP0: a processing system before the bridge, ours and cocotbext-axi's, and memory behind it."""

from fractrain.hw.zynq.gp_bridge import GpBridge
from tests.harness import run_bench


def test_gp_bridge() -> None:
    run_bench(GpBridge(), "gp_bridge", "tests.hw.zynq.bench_gp_bridge")
