"""The block reader: runs of words, cut into granules, over all ports, delivered in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cycles.kernel import Change, Kernel, Process
from fractrain.sim.cycles.memory import Ddr
from fractrain.sim.cycles.read_port import Granule, ReadPort
from fractrain.sim.cycles.turns import Sink
from fractrain.sim.memory_model import MemoryModel

REQUEST_CYCLES = 5
"""From a request to its first granule at a port, if no other is before it."""
REQUEST_INTERVAL = 2
"""Between two requests, of whichever clients."""
CLIENTS = 3
"""Command fetcher, fetch stage, vector stage: the first of them comes first."""
WORD_CYCLES = 4
"""From a burst's last beat to its last word at its client."""


class Hold:
    """Something that its client does before it takes more words."""

    def __init__(self, kernel: Kernel) -> None:
        self._over, self._change = False, Change(kernel)

    def end(self) -> None:
        self._over = True
        self._change.notify()

    def wait(self) -> Process:
        while not self._over:
            yield self._change


@dataclass(frozen=True)
class Request:
    """``sizes`` in bytes of the granules of a run, requested at ``time``. A client takes a word in
    ``word_cycles``, but none in the ``pause`` cycles behind the word before it, and none before the
    end of ``hold``, and only as its ``sink`` lets it; the words of all clients then wait.
    ``deliver`` is called for every granule, with its size and the time at which it was taken."""

    client: int
    sizes: list[int]
    word_cycles: float
    deliver: Callable[[int, float], None]
    time: float
    hold: Hold | None = None
    pause: float = 0
    sink: Sink | None = None


class Reader:
    """Deals granules to the ports in turn, and hands them to their clients in order."""

    def __init__(
        self,
        kernel: Kernel,
        ddr: Ddr,
        parameters: Parameters,
        memory: MemoryModel,
        ports: int,
    ) -> None:
        self._kernel = kernel
        self._word_bytes = parameters.word_bytes
        self.asked, self._room, self._dealt = Change(kernel), Change(kernel), Change(kernel)
        self._ports = [ReadPort(kernel, ddr, parameters, memory, self._room) for _ in range(ports)]
        self._requests: list[deque[Request]] = [deque() for _ in range(CLIENTS)]
        self._order: deque[tuple[Request, Granule, float]] = deque()

    def start(self) -> None:
        for port in self._ports:
            port.start()
        self._kernel.start(self._deal())
        self._kernel.start(self._merge())

    def request(self, request: Request) -> None:
        """Requests of client 0 come first, then those of 1."""
        self._requests[request.client].append(request)
        self.asked.notify()

    def waiting(self, client: int) -> int:
        """Requests that are still to begin."""
        return len(self._requests[client])

    def _deal(self) -> Process:
        turn = 0
        while True:
            source = next((each for each in self._requests if each), None)
            if source is None:
                yield self.asked
                continue
            request = source.popleft()
            self.asked.notify()
            begin = max(self._kernel.now, request.time + REQUEST_CYCLES)
            yield begin
            pause = request.pause
            for size in request.sizes:
                port = self._ports[turn % len(self._ports)]
                turn += 1
                while not port.room:
                    yield self._room
                self._order.append((request, port.put(size), pause))
                pause = 0.0
                self._dealt.notify()
                yield self._kernel.now + 1
            yield max(self._kernel.now, begin + REQUEST_INTERVAL)

    def _merge(self) -> Process:
        taken = 0.0
        while True:
            while not self._order:
                yield self._dealt
            request, granule, pause = self._order.popleft()
            while granule.end is None:
                yield granule.came
            words = granule.size // self._word_bytes
            # all but the last of a granule's words can be taken while it comes
            came = granule.end + WORD_CYCLES + request.word_cycles
            if request.hold is not None:
                yield from request.hold.wait()
                came = max(came, self._kernel.now)
            begin = taken + pause
            taken = begin + words * request.word_cycles
            if request.sink is not None:
                taken = yield from request.sink.take(max(begin, came - words), words)
            taken = max(taken, came)
            yield taken
            granule.port.take()
            request.deliver(granule.size, self._kernel.now)
