"""The AXI3 monitor: it passes what the protocol allows, and cannot pass what it forbids."""

from tests.harness import run_bench
from tests.harness.axi3_wires import Axi3Wires


def test_axi3_monitor() -> None:
    run_bench(Axi3Wires(), "axi3_wires", "tests.harness.bench_axi3_monitor")
