"""Memory as two streams, reads and writes, that share its rate: a hundredth of the events of
`sim.cycles.memory`.

Bursts, ports and their turns are left out. What remains is what long programs depend on: bytes in
their order, the rate, latencies, and how much is under way or stored. Whole steps take as long as
with all bursts but for a percent (tests/sim/cycles/test_fluid.py); a convolution alone may be
farther off.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from functools import partial

from fractrain.hw.contract.bursts import BEAT_BYTES, BURST_BYTES
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cycles.kernel import Change, Kernel, Process
from fractrain.sim.cycles.read_port import ADDRESS_CYCLES
from fractrain.sim.cycles.reader import CLIENTS, REQUEST_CYCLES, WORD_CYCLES, Request
from fractrain.sim.cycles.write_port import ANSWER_CYCLES
from fractrain.sim.cycles.writer import FULL_CYCLES, MARGIN
from fractrain.sim.memory_model import MemoryModel

PIECE_BYTES = 2048
"""Most that moves as one."""
LEAST_BYTES = 1e-3
"""What is left of a piece by rounding."""


class Piece:
    """Bytes that are ``left`` to move; then ``moved`` is called."""

    def __init__(self, size: int, moved: Callable[[], None]) -> None:
        self.left, self.moved = float(size), moved


class FluidMemory:
    """Moves pieces of each direction in order; both directions get half the rate while both have
    some."""

    def __init__(self, kernel: Kernel, model: MemoryModel, ports: int) -> None:
        self._kernel = kernel
        self._pieces: tuple[deque[Piece], deque[Piece]] = deque(), deque()
        port = float(BEAT_BYTES * ports)
        costs = model.read_cost, model.write_cost
        self._alone = [min(port, self._bytes(model, cost)) for cost in costs]
        self._both = min(port, self._bytes(model, model.mixed_cost) / 2)
        self._since, self._planned = 0.0, math.inf

    @staticmethod
    def _bytes(model: MemoryModel, cost: int) -> float:
        """A cycle, where a beat costs so much."""
        earned = model.earned_credit
        return math.inf if not earned else BEAT_BYTES * earned / cost

    def add(self, piece: Piece, *, writes: bool) -> None:
        self._settle()
        self._pieces[writes].append(piece)
        self._plan()

    def _rates(self) -> list[float]:
        if all(self._pieces):
            return [self._both, self._both]
        return self._alone

    def _settle(self) -> None:
        """What has moved until now."""
        passed, rates = self._kernel.now - self._since, self._rates()
        self._since = self._kernel.now
        for pieces, rate in zip(self._pieces, rates, strict=True):
            if pieces:
                pieces[0].left -= passed * rate

    def _plan(self) -> None:
        rates = self._rates()
        ends = [
            max(0.0, pieces[0].left / rate)
            for pieces, rate in zip(self._pieces, rates, strict=True)
            if pieces
        ]
        if ends:
            self._planned = self._kernel.now + min(ends)
            self._kernel.call(partial(self._step, self._planned), self._planned)

    def _step(self, planned: float) -> None:
        if planned != self._planned:
            return  # another plan has replaced this one
        self._settle()
        for pieces in self._pieces:
            while pieces and pieces[0].left < LEAST_BYTES:
                pieces.popleft().moved()
        self._plan()


class FluidReader:
    """As `Reader`: requests of the clients by rank, delivered in order piece by piece."""

    def __init__(
        self,
        kernel: Kernel,
        memory: FluidMemory,
        parameters: Parameters,
        model: MemoryModel,
        ports: int,
    ) -> None:
        self._kernel, self._memory = kernel, memory
        self._word_bytes = parameters.word_bytes
        self._latency = model.read_latency_cycles + ADDRESS_CYCLES + WORD_CYCLES
        self._most = BURST_BYTES * ports * 2 * parameters.memory.outstanding
        self.asked, self._room = Change(kernel), Change(kernel)
        self._requests: list[deque[Request]] = [deque() for _ in range(CLIENTS)]
        self._held = 0
        self._arrived: deque[tuple[Request, int, float, float]] = deque()
        self._some = Change(kernel)

    def start(self) -> None:
        self._kernel.start(self._deal())
        self._kernel.start(self._take())

    def request(self, request: Request) -> None:
        self._requests[request.client].append(request)
        self.asked.notify()

    def waiting(self, client: int) -> int:
        return len(self._requests[client])

    def _deal(self) -> Process:
        while True:
            source = next((each for each in self._requests if each), None)
            if source is None:
                yield self.asked
                continue
            request = source.popleft()
            self.asked.notify()
            yield max(self._kernel.now, request.time + REQUEST_CYCLES)
            left, granules, pause = sum(request.sizes), len(request.sizes), request.pause
            while left:
                while self._held >= self._most:
                    yield self._room
                size = min(left, PIECE_BYTES)
                left -= size
                self._held += size
                piece = Piece(size, partial(self._came, request, size, pause))
                pause = 0.0
                self._memory.add(piece, writes=False)
            yield self._kernel.now + granules

    def _came(self, request: Request, size: int, pause: float) -> None:
        self._arrived.append((request, size, pause, self._kernel.now))
        self._some.notify()

    def _take(self) -> Process:
        """Words are taken one after the other, while they come."""
        taken = 0.0
        while True:
            while not self._arrived:
                yield self._some
            request, size, pause, time = self._arrived.popleft()
            came = time + self._latency + request.word_cycles
            if request.hold is not None:
                yield from request.hold.wait()
                came = max(came, self._kernel.now)
            begin, words = taken + pause, size / self._word_bytes
            taken = begin + words * request.word_cycles
            if request.sink is not None:
                taken = yield from request.sink.take(max(begin, came - words), round(words))
            taken = max(taken, came)
            yield taken
            self._held -= size
            self._room.notify()
            request.deliver(size, self._kernel.now)


class FluidWriter:
    """As `Writer`: takes what there is room for."""

    def __init__(
        self,
        kernel: Kernel,
        memory: FluidMemory,
        parameters: Parameters,
        model: MemoryModel,
        ports: int,
    ) -> None:
        self._kernel, self._memory = kernel, memory
        outstanding, block = parameters.memory.outstanding, parameters.block_bytes
        places = max(2 * MARGIN, 2 * outstanding * max(1, BURST_BYTES // block)) - MARGIN
        self._most = ports * (places * block + outstanding * min(block, BURST_BYTES))
        self._latency = FULL_CYCLES + model.write_latency_cycles + ANSWER_CYCLES
        self._change = Change(kernel)
        self._stored = 0
        self._owed = [0, 0]

    def start(self) -> None:
        """Nothing runs on its own."""

    def write(self, address: int, client: int = 0, size: int = 0) -> Process:
        """Until there is room for more behind ``size`` bytes."""
        while self._stored >= self._most:
            yield self._change
        self._stored += size
        self._owed[client] += size
        self._memory.add(Piece(size, partial(self._moved, size, client)), writes=True)

    def _moved(self, size: int, client: int) -> None:
        self._stored -= size
        self._change.notify()
        self._kernel.call(partial(self._answer, size, client), self._kernel.now + self._latency)

    def _answer(self, size: int, client: int) -> None:
        self._owed[client] -= size
        self._change.notify()

    def wait_idle(self, client: int = 0) -> Process:
        while self._owed[client]:
            yield self._change
