"""The block writer: blocks are merged into bursts, which go to the ports in turn."""

from __future__ import annotations

from collections import deque
from functools import partial

from fractrain.hw.contract.bursts import BURST_BYTES
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cycles.kernel import Change, Kernel, Process
from fractrain.sim.cycles.memory import Ddr
from fractrain.sim.cycles.write_port import WritePort
from fractrain.sim.memory_model import MemoryModel

MARGIN = 5
"""Free places of a port's store at which no more blocks are taken."""
SEEN_CYCLES = 5
"""From taking a block until it counts; so many may follow it."""
FULL_CYCLES = 6
"""From taking the block that ends 128 bytes to the burst's address on the port."""
BROKEN_CYCLES = 5
"""From taking a block that does not follow to the address of the burst before it."""
PATIENCE_CYCLES = 33
"""From a burst's last block until it is too late for another one to follow."""


class OpenBurst:
    """Blocks of a client for ``port`` up to the address ``end``, which the next block may still
    follow."""

    def __init__(self, port: WritePort, client: int, address: int) -> None:
        self.port, self.client, self.end, self.size = port, client, address, 0


class Writer:
    """Takes a block per cycle, as long as every port has room for it. Its clients are the result
    stage, 0, and the vector stage, 1."""

    def __init__(
        self,
        kernel: Kernel,
        ddr: Ddr,
        parameters: Parameters,
        memory: MemoryModel,
        ports: int,
    ) -> None:
        self._kernel = kernel
        self._block_bytes = parameters.block_bytes
        self._change = Change(kernel)
        per_granule = max(1, BURST_BYTES // parameters.block_bytes)
        places = max(2 * MARGIN, 2 * parameters.memory.outstanding * per_granule)
        self._most = places - MARGIN
        self._ports = [
            WritePort(kernel, ddr, parameters, memory, self._change) for _ in range(ports)
        ]
        self._turn = 0
        self._unseen: deque[tuple[float, WritePort]] = deque()
        self._open: OpenBurst | None = None
        self._owed = [0, 0]
        """Bytes of each client that are not acknowledged."""

    def start(self) -> None:
        for port in self._ports:
            port.start()

    def write(self, address: int, client: int = 0, size: int = 0) -> Process:
        """Until the block has been taken, of which ``size`` is known."""
        while not self._ready():
            yield self._change
        self._owed[client] += self._block_bytes
        self._collect(address, client)

    def _ready(self) -> bool:
        unseen = self._unseen
        while unseen and unseen[0][0] <= self._kernel.now:
            unseen.popleft()[1].stored += 1
        return all(port.stored <= self._most for port in self._ports)

    def _collect(self, address: int, client: int) -> None:
        now, burst = self._kernel.now, self._open
        if burst is None or address != burst.end or client != burst.client:
            if burst is not None:
                self._send(burst, now + BROKEN_CYCLES)
            port = self._ports[self._turn % len(self._ports)]
            burst = self._open = OpenBurst(port, client, address)
            self._turn += 1
        self._unseen.append((now + SEEN_CYCLES, burst.port))
        burst.end += self._block_bytes
        burst.size += self._block_bytes
        if burst.end % BURST_BYTES == 0:
            self._send(burst, now + FULL_CYCLES)
        else:
            self._kernel.call(partial(self._lose_patience, burst, burst.end), now + PATIENCE_CYCLES)

    def _lose_patience(self, burst: OpenBurst, end: int) -> None:
        """Send ``burst`` if it still ends there."""
        if self._open is burst and burst.end == end:
            self._send(burst, self._kernel.now + BROKEN_CYCLES)

    def _send(self, burst: OpenBurst, address_time: float) -> None:
        self._open = None
        burst.port.put(burst.size, address_time, partial(self._acknowledge, burst))

    def _acknowledge(self, burst: OpenBurst) -> None:
        self._owed[burst.client] -= burst.size

    def wait_idle(self, client: int = 0) -> Process:
        """Until all that the client has written has been acknowledged."""
        while self._owed[client]:
            yield self._change
