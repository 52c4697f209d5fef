"""Runs inside the simulator: the tests that `test_harness` expects to pass or to fail."""

import os
from pathlib import Path

import cocotb

from tests.harness import STALLS, Bench, testbench


@testbench(cycle_limit=4_000)
@cocotb.parametrize(source_stalls=STALLS, sink_stalls=STALLS)
async def increments(bench: Bench, source_stalls: str, sink_stalls: str) -> None:
    width = bench.parameters["width"]
    items = [bench.random.getrandbits(width) for _ in range(100)]
    source = bench.source("i", stalls=source_stalls)
    sink = bench.sink("o", stalls=sink_stalls)
    source.send(*items)
    received = await sink.receive(len(items))
    assert received == [(item + 1) % 2**width for item in items]
    await bench.cycles(1)
    assert int(bench.dut.total.value) == sum(received) % 2**width
    assert source.transferred == sink.transferred == len(items)


@testbench(cycle_limit=200)
async def full_rate(bench: Bench) -> None:
    """Without stalls the harness itself costs no cycle: one item in every one."""
    source, sink = bench.source("i"), bench.sink("o")
    source.send(*range(100))
    await sink.receive(1)
    await bench.cycles(99)
    assert sink.transferred == 100


@testbench(cycle_limit=50)
async def waits_for_ever(bench: Bench) -> None:
    await bench.sink("o").receive(1)


@testbench()
async def needs_no_libpython_of_its_own(bench: Bench) -> None:
    """It runs in this very Python: the only libpython is one that the program is linked to."""
    loaded = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
    libraries = [path for path in loaded if "libpython" in path]
    assert len(libraries) == bench.parameters["libpythons"], libraries
    assert "LD_PRELOAD" not in os.environ
