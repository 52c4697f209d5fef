"""Runs inside the simulator: what goes in comes out, at full rate when nobody stalls."""

import cocotb

from tests.harness import STALLS, Bench, testbench


@testbench(cycle_limit=4_000)
@cocotb.parametrize(source_stalls=STALLS, sink_stalls=STALLS)
async def passes_items_on(bench: Bench, source_stalls: str, sink_stalls: str) -> None:
    items = [bench.random.getrandbits(8) for _ in range(200)]
    source = bench.source("i", stalls=source_stalls)
    sink = bench.sink("o", stalls=sink_stalls)
    source.send(*items)
    assert await sink.receive(len(items)) == items
    await bench.cycles(2)
    assert int(bench.dut.empty.value) == 1


@testbench(cycle_limit=200)
async def full_rate(bench: Bench) -> None:
    source, sink = bench.source("i"), bench.sink("o")
    source.send(*range(100))
    await sink.receive(1)
    await bench.cycles(99)
    assert sink.transferred == 100
