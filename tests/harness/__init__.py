"""The shared cocotb harness: a unit's testbench supplies stimulus and reference, no more.

A testbench is a pair of files. One, ``bench_<unit>.py``, runs inside the simulator::

    import cocotb
    from tests.harness import STALLS, Bench, testbench

    @testbench(cycle_limit=5_000)
    @cocotb.parametrize(stalls=STALLS)          # every stall pattern: one test each
    async def adds(bench: Bench, stalls: str) -> None:
        source = bench.source("operands", stalls=stalls)
        sink = bench.sink("sums", stalls=stalls)
        items = [bench.random.getrandbits(16) for _ in range(bench.parameters["count"])]
        source.send(*items)
        assert await sink.receive(len(items)) == [reference(item) for item in items]

The other, ``test_<unit>.py``, is what pytest finds::

    from tests.harness import run_bench

    def test_adder() -> None:
        run_bench(Adder(width=8), "adder_8", "tests.hw.bench_adder", parameters={"count": 100})

The harness owns clock, reset, the cycle limit, the seed, the random stalls, the check of
the stream rules on everything that the design drives, and the waveform:

``BENCH_SEED=7``   another seed (the default is fixed, so runs repeat)
``BENCH_WAVES=1``  writes ``build/waves/<name>.vcd`` (compiles a traced model first)

See `Bench` (inside the simulator) and `run_bench` (outside).
"""

from tests.harness.bench import Bench, testbench
from tests.harness.runner import run_bench
from tests.harness.stalls import STALLS
from tests.harness.streams import StreamSink, StreamSource

__all__ = ["STALLS", "Bench", "StreamSink", "StreamSource", "run_bench", "testbench"]
