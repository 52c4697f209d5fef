"""The read half of one port."""

from __future__ import annotations

from collections import deque

from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cycles.kernel import Change, Kernel, Process
from fractrain.sim.cycles.memory import Burst, Ddr, beats_of
from fractrain.sim.memory_model import MemoryModel

WAITING = 2
"""Granules that a port takes before it issues them."""
ADDRESS_CYCLES = 2
"""From there to the address."""
ADDRESS_INTERVAL = 2
ANSWER_CYCLES = 3
"""From a burst's last beat to the address that waited for it."""


class Granule:
    """A burst to be: its ``size`` in bytes, and its ``end`` once its last beat has come."""

    def __init__(self, kernel: Kernel, port: ReadPort, size: int) -> None:
        self.port, self.size = port, size
        self.end: float | None = None
        self.came = Change(kernel)


class ReadPort:
    """Issues granules, some of them at a time.

    A granule occupies a place in the store until its words are taken; ``change`` is notified when
    there is room for another granule.
    """

    def __init__(
        self, kernel: Kernel, ddr: Ddr, parameters: Parameters, memory: MemoryModel, change: Change
    ) -> None:
        self._kernel, self._ddr, self._memory, self._change = kernel, ddr, memory, change
        self._flow = ddr.flow(writes=False)
        self._waiting: deque[tuple[Granule, float]] = deque()
        self._given, self._answered = Change(kernel), Change(kernel)
        outstanding = parameters.memory.outstanding
        self._most = min(outstanding, memory.accepted_bursts)
        self._places = 2 * outstanding
        self._under_way = 0

    def start(self) -> None:
        self._kernel.start(self._issue())

    @property
    def room(self) -> bool:
        return self._places > 0 and len(self._waiting) < WAITING

    def put(self, size: int) -> Granule:
        """A granule of ``size`` bytes; only while there is room."""
        granule = Granule(self._kernel, self, size)
        self._places -= 1
        self._waiting.append((granule, self._kernel.now + ADDRESS_CYCLES))
        self._given.notify()
        return granule

    def take(self) -> None:
        """The last word of the oldest granule has been taken."""
        self._places += 1
        self._change.notify()

    def _issue(self) -> Process:
        while True:
            while not self._waiting:
                yield self._given
            granule, ready = self._waiting[0]
            yield max(self._kernel.now, ready)
            while self._under_way >= self._most:
                yield self._answered
            self._waiting.popleft()
            self._change.notify()
            self._under_way += 1
            due = self._kernel.now + self._memory.read_latency_cycles - 1
            burst = self._ddr.add(self._flow, beats_of(granule.size), due)
            self._kernel.start(self._answer(granule, burst))
            yield self._kernel.now + ADDRESS_INTERVAL

    def _answer(self, granule: Granule, burst: Burst) -> Process:
        while burst.end is None:
            yield burst.moved
        granule.end = burst.end
        granule.came.notify()
        yield burst.end + ANSWER_CYCLES
        self._under_way -= 1
        self._answered.notify()
