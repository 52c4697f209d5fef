"""Small components in Amaranth's own simulator: clock, cycle limit, seed, streams and stalls.

It needs no compilation, so a component of some thousand bits is simulated within a second. For
more cycles or bits there are `tests.harness.run_bench` and `tests.hw.verilator.Player`.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from amaranth.lib import wiring
from amaranth.sim import Simulator, SimulatorContext

from tests.harness.stalls import stall_pattern

__all__ = ["Sink", "Simulation", "Source", "Transfer", "simulate"]

DEFAULT_SEED = 1


Stream = TypeVar("Stream", "Source", "Sink")


@dataclass(frozen=True)
class Transfer:
    """What was handed over at a stream, and the cycle in which it was."""

    cycle: int
    payload: Any


class Source:
    """Offers queued items to an input stream, in order; ``valid`` never drops before a transfer."""

    def __init__(self, context: SimulatorContext, stream: Any, stalls: Iterator[bool]) -> None:
        self.transfers: list[Transfer] = []
        self._context, self._stream, self._stalls = context, stream, stalls
        self._items: deque[Any] = deque()
        self._driving = False

    def send(self, *items: Any) -> None:
        """Queue ``items``, each a value or, for a layout, a mapping."""
        self._items.extend(items)

    @property
    def drained(self) -> bool:
        return not self._items

    def drive(self) -> None:
        """At the start of a cycle."""
        stalled = next(self._stalls)
        if not self._driving and self._items and not stalled:
            self._driving = True
            self._context.set(self._stream.payload, self._items[0])
        self._context.set(self._stream.valid, self._driving)

    def sample(self, cycle: int) -> None:
        """At the end of a cycle."""
        if self._driving and self._context.get(self._stream.ready):
            self._driving = False
            self.transfers.append(Transfer(cycle, self._items.popleft()))


class Sink:
    """Takes from an output stream and checks that what is on offer stays until it is taken."""

    def __init__(self, context: SimulatorContext, stream: Any, stalls: Iterator[bool]) -> None:
        self.transfers: list[Transfer] = []
        self.paused = False
        """While True, nothing is accepted."""
        self._context, self._stream, self._stalls = context, stream, stalls
        self._accepting = False
        self._offered: Any = None

    @property
    def items(self) -> list[Any]:
        return [each.payload for each in self.transfers]

    @property
    def cycles(self) -> list[int]:
        return [each.cycle for each in self.transfers]

    def drive(self) -> None:
        """At the start of a cycle."""
        self._accepting = not next(self._stalls) and not self.paused
        self._context.set(self._stream.ready, self._accepting)

    def sample(self, cycle: int) -> None:
        """At the end of a cycle."""
        if not self._context.get(self._stream.valid):
            assert self._offered is None, f"cycle {cycle}: valid dropped before the transfer"
            return
        payload = self._context.get(self._stream.payload)
        if self._offered is not None:
            assert self._offered == payload, f"cycle {cycle}: payload changed before the transfer"
        self._offered = None if self._accepting else payload
        if self._accepting:
            self.transfers.append(Transfer(cycle, payload))


class Simulation:
    """One test's view of the component: set inputs, read outputs, end the cycle with `tick`.

    component : the design
    random : this test's own generator
    cycle : how many cycles have ended
    """

    def __init__(self, context: SimulatorContext, component: Any, limit: int, seed: int) -> None:
        self.component, self.random, self.cycle = component, Random(seed), 0
        self._context, self._limit = context, limit
        self._streams: list[Source | Sink] = []

    def set(self, **values: Any) -> None:
        """Set ports by name; what depends on them alone follows at once."""
        for name, value in values.items():
            self._context.set(getattr(self.component, name), value)

    def get(self, *path: str) -> Any:
        """A port's value in this cycle, by its name or the path to it: an integer, or a constant of
        its layout."""
        port = self.component
        for name in path:
            port = getattr(port, name)
        return self._context.get(port)

    def source(self, name: str, *items: Any, stalls: str = "never") -> Source:
        """Drive the input stream ``name`` from now on."""
        pattern = stall_pattern(stalls, Random(self.random.getrandbits(64)))
        source = Source(self._context, getattr(self.component, name), pattern)
        source.send(*items)
        return self._start(source)

    def sink(self, name: str, *, stalls: str = "never") -> Sink:
        """Receive the output stream ``name`` from now on."""
        pattern = stall_pattern(stalls, Random(self.random.getrandbits(64)))
        return self._start(Sink(self._context, getattr(self.component, name), pattern))

    def _start(self, stream: Stream) -> Stream:
        self._streams.append(stream)
        stream.drive()
        return stream

    async def tick(self, cycles: int = 1) -> None:
        """End this cycle; the streams take part in the next one."""
        for _ in range(cycles):
            for stream in self._streams:
                stream.sample(self.cycle)
            self.cycle += 1
            assert self.cycle <= self._limit, f"not done after {self._limit} cycles"
            await self._context.tick()
            for stream in self._streams:
                stream.drive()

    async def until(self, condition: Callable[[], Any]) -> None:
        """End cycles until ``condition`` holds."""
        while not condition():
            await self.tick()


def simulate(
    component: wiring.Component,
    body: Callable[[Simulation], Awaitable[None]],
    *,
    cycle_limit: int = 20_000,
    seed: int = DEFAULT_SEED,
) -> None:
    """Run ``body`` on ``component`` from power-up; it fails if it takes more cycles than that."""

    async def run(context: SimulatorContext) -> None:
        await body(Simulation(context, component, cycle_limit, seed))

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(run)
    simulator.run()
