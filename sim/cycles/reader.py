"""The block reader: runs of words, cut into granules, over all ports, delivered in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hw.contract.parameters import Parameters
from sim.cycles.kernel import Change, Kernel, Process
from sim.cycles.memory import Burst, Ddr, beats_of
from sim.memory_model import MemoryModel

REQUEST_CYCLES = 7
"""From a request to its first address on a port, if no other is before it."""
WORD_CYCLES = 3
"""From a burst's last beat to its last word."""


@dataclass(frozen=True)
class Request:
    """``sizes`` in bytes of the granules of a run. Each word takes its client ``word_cycles``;
    ``deliver`` is told of every granule, its size and when it had been taken. ``time``: when it was
    made."""

    client: int
    sizes: list[int]
    word_cycles: int
    deliver: Callable[[int, float], None]
    time: float


class Reader:
    """Issues granules to the ports in turn, and hands them to their clients in order."""

    def __init__(
        self, kernel: Kernel, ddr: Ddr, parameters: Parameters, memory: MemoryModel
    ) -> None:
        self._kernel, self._ddr, self._memory = kernel, ddr, memory
        self._word_bytes = parameters.word_bytes
        ports = parameters.memory.ports
        self._flows = [ddr.flow(writes=False) for _ in range(ports)]
        self._under_way = [0] * ports
        self._stored = [0] * ports
        self._most = parameters.memory.outstanding
        self._requests: tuple[deque[Request], deque[Request]] = (deque(), deque())
        self._order: deque[tuple[Request, int, int, Burst]] = deque()
        self.asked, self._room, self._issued = Change(kernel), Change(kernel), Change(kernel)

    def start(self) -> None:
        self._kernel.start(self._issue())
        self._kernel.start(self._merge())

    def request(self, request: Request) -> None:
        """Requests of client 0 come first."""
        self._requests[request.client].append(request)
        self.asked.notify()

    def waiting(self, client: int) -> int:
        """Requests that have not been begun."""
        return len(self._requests[client])

    def _issue(self) -> Process:
        turn = 0
        while True:
            source = next((each for each in self._requests if each), None)
            if source is None:
                yield self.asked
                continue
            request = source.popleft()
            self.asked.notify()
            yield max(self._kernel.now, request.time + REQUEST_CYCLES)
            for size in request.sizes:
                port = turn % len(self._flows)
                turn += 1
                # a place in the store is kept from the issue until the words are taken
                while self._under_way[port] >= self._most or self._stored[port] >= self._most:
                    yield self._room
                due = self._kernel.now + self._memory.read_latency_cycles
                burst = self._ddr.add(self._flows[port], beats_of(size), due)
                self._under_way[port] += 1
                self._stored[port] += 1
                self._order.append((request, size, port, burst))
                self._issued.notify()
                self._kernel.start(self._answer(port, burst))
                yield self._kernel.now + 1

    def _answer(self, port: int, burst: Burst) -> Process:
        while burst.end is None:
            yield burst.moved
        self._under_way[port] -= 1
        self._room.notify()

    def _merge(self) -> Process:
        taken = 0.0
        while True:
            while not self._order:
                yield self._issued
            request, size, port, burst = self._order.popleft()
            while burst.end is None:
                yield burst.moved
            words = size / self._word_bytes
            # all but the last of a granule's words can be taken while it comes
            came = burst.end + WORD_CYCLES + request.word_cycles
            taken = max(taken + words * request.word_cycles, came)
            yield taken
            self._stored[port] -= 1
            self._room.notify()
            request.deliver(size, self._kernel.now)
