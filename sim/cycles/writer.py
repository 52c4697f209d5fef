"""The block writer: blocks are merged into bursts, which go to the ports in turn."""

from __future__ import annotations

from collections import deque

from hw.contract.parameters import Parameters
from sim.cycles.kernel import Change, Kernel, Process
from sim.cycles.memory import GRANULE_BYTES, Ddr, beats_of, granules
from sim.memory_model import MemoryModel

ADDRESS_CYCLES = 6
"""From the last block of a burst to its address on the port."""
DATA_CYCLES = 2
"""From there to its first beat in memory's buffer."""
ANSWER_CYCLES = 1
MARGIN = 8
"""Blocks on their way to a store."""


class WritePort:
    """Bursts of one port: those in its store, and those under way."""

    def __init__(
        self, kernel: Kernel, ddr: Ddr, parameters: Parameters, memory: MemoryModel, change: Change
    ) -> None:
        self._kernel, self._ddr, self._memory, self._change = kernel, ddr, memory, change
        self._flow = ddr.flow(writes=True)
        self._bursts: deque[tuple[int, int, float]] = deque()
        self._arrived = Change(kernel)
        most = parameters.memory.outstanding
        self._most = min(most, memory.accepted_bursts)
        per_granule = max(1, GRANULE_BYTES // parameters.block_bytes)
        self.places = max(2 * MARGIN, 2 * most * per_granule) - MARGIN
        self.stored = self.under_way = 0

    def start(self) -> None:
        self._kernel.start(self._issue())

    def put(self, blocks: int, beats: int) -> None:
        self.stored += blocks
        self._bursts.append((blocks, beats, self._kernel.now + ADDRESS_CYCLES))
        self._arrived.notify()

    @property
    def idle(self) -> bool:
        return not self._bursts and not self.under_way

    def _issue(self) -> Process:
        while True:
            while not self._bursts:
                yield self._arrived
            blocks, beats, ready = self._bursts[0]
            yield max(self._kernel.now, ready)
            while self.under_way >= self._most:
                yield self._change
            self._bursts.popleft()
            self.under_way += 1
            self._kernel.start(self._answer(blocks, beats))
            yield self._kernel.now + 1

    def _answer(self, blocks: int, beats: int) -> Process:
        burst = self._ddr.add(self._flow, beats, self._kernel.now + DATA_CYCLES)
        while burst.end is None:
            yield burst.moved
        self.stored -= blocks
        self._change.notify()
        yield burst.end + self._memory.write_latency_cycles + ANSWER_CYCLES
        self.under_way -= 1
        self._change.notify()


class Writer:
    """Takes a block per cycle, as long as the next port has room for it."""

    def __init__(
        self, kernel: Kernel, ddr: Ddr, parameters: Parameters, memory: MemoryModel
    ) -> None:
        self._kernel = kernel
        self._block_bytes = parameters.block_bytes
        self._change = Change(kernel)
        self._ports = [
            WritePort(kernel, ddr, parameters, memory, self._change)
            for _ in range(parameters.memory.ports)
        ]
        self._turn = 0

    def start(self) -> None:
        for port in self._ports:
            port.start()

    def write(self, address: int, size: int) -> Process:
        """Until the last block has been taken."""
        for piece in granules(address, size):
            port = self._ports[self._turn % len(self._ports)]
            self._turn += 1
            blocks = piece // self._block_bytes
            yield self._kernel.now + blocks
            while port.stored + blocks > port.places:
                yield self._change
            port.put(blocks, beats_of(piece))

    def wait_idle(self) -> Process:
        """Until all that was written has been acknowledged."""
        while not all(port.idle for port in self._ports):
            yield self._change
