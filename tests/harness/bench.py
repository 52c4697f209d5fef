"""What a test inside the simulator gets: clock, reset, cycle limit, seed and streams."""

import functools
import inspect
import json
import os
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.handle import SimHandleBase
from cocotb.triggers import RisingEdge

from tests.harness.stalls import stall_pattern
from tests.harness.streams import StreamSink, StreamSource

CLOCK_STEPS = 10
RESET_CYCLES = 4


class Bench:
    """One test's view of the design under test.

    dut : the design; a port of a nested interface is ``dut.<member>__<port>``
    random : this test's own generator, seeded from the run's seed and the test's name
    parameters : what `run_bench` was given as ``parameters`` (it went through JSON)

    Everything it reads was settled before the last rising edge, everything it writes takes
    effect after it.
    """

    def __init__(self, dut: SimHandleBase, parameters: dict[str, Any]) -> None:
        self.dut = dut
        self.parameters = parameters
        self.random = Random(cocotb.RANDOM_SEED)

    async def reset(self) -> None:
        """Hold reset for a few cycles; the test starts with the first cycle after it."""
        self.dut.rst.value = 1
        await self.cycles(RESET_CYCLES)
        self.dut.rst.value = 0

    async def cycles(self, count: int = 1) -> None:
        """Wait for ``count`` rising edges."""
        for _ in range(count):
            await RisingEdge(self.dut.clk)

    def source(
        self, name: str, *, stalls: str = "never", encode: Callable[[Any], int] = int
    ) -> StreamSource:
        """Start to drive the input stream ``name``; ``stalls`` is one of `STALLS`."""
        source = StreamSource(self.dut, name, self._stalls(stalls), encode)
        cocotb.start_soon(source.run())
        return source

    def sink(
        self, name: str, *, stalls: str = "never", decode: Callable[[int], Any] = int
    ) -> StreamSink:
        """Start to receive the output stream ``name``, checking its rules.

        For a payload with a layout give ``decode=layout.from_bits``.
        """
        sink = StreamSink(self.dut, name, self._stalls(stalls), decode)
        cocotb.start_soon(sink.run())
        return sink

    def _stalls(self, name: str) -> Any:
        # a generator of its own for every stream: one more stream leaves the others' alone
        return stall_pattern(name, Random(self.random.getrandbits(64)))


def _quiet_inputs(dut: SimHandleBase) -> None:
    """No stream takes part in anything until the test has made its driver."""
    for handle in dut:
        if handle._name.endswith(("__valid", "__ready")):
            try:
                handle.value = 0
            except (TypeError, AttributeError):  # a constant: not ours to drive
                continue


def testbench(*, cycle_limit: int = 20_000) -> Callable[[Any], Any]:
    """Make ``async def test(bench, **parametrized)`` a test of the simulator.

    Clock and reset are done when the body starts; the test fails if it takes more than
    ``cycle_limit`` cycles. Put `cocotb.parametrize` below it.
    """

    def decorate(body: Any) -> Any:
        generator = cocotb.test(timeout_time=(cycle_limit + RESET_CYCLES) * CLOCK_STEPS)(body)
        generator.func = _with_bench(generator.func)
        return generator

    return decorate


def _with_bench(body: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    parameters = json.loads(os.environ.get("BENCH_PARAMETERS", "{}"))
    if not inspect.iscoroutinefunction(body):
        raise TypeError(f"{body!r} must be an async function")

    @functools.wraps(body)
    async def test(dut: SimHandleBase, **parametrized: Any) -> None:
        bench = Bench(dut, parameters)
        _quiet_inputs(dut)
        Clock(dut.clk, CLOCK_STEPS, unit="step").start()
        await bench.reset()
        await body(bench, **parametrized)

    return test


testbench.__test__ = False  # type: ignore[attr-defined]  # pytest: not a test, despite its name
