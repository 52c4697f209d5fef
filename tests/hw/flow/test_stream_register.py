"""The register between stages: order, stalls, rate."""

from amaranth.hdl import unsigned

from fractrain.hw.flow.stream_register import StreamRegister
from tests.harness import run_bench


def test_stream_register() -> None:
    run_bench(StreamRegister(unsigned(8)), "stream_register", "tests.hw.flow.bench_stream_register")
