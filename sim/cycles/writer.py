"""The block writer: blocks are merged into bursts, which go to the ports in turn."""

from __future__ import annotations

from hw.contract.parameters import Parameters
from sim.cycles.kernel import Change, Kernel, Process
from sim.cycles.memory import Burst, Ddr, beats_of, granules
from sim.memory_model import MemoryModel

WRITE_CYCLES = 8
"""From the last block of a burst to its first beat on the port."""


class Writer:
    """Takes a block per cycle, as long as a port has room for a burst."""

    def __init__(
        self, kernel: Kernel, ddr: Ddr, parameters: Parameters, memory: MemoryModel
    ) -> None:
        self._kernel, self._ddr, self._memory = kernel, ddr, memory
        self._block_bytes = parameters.block_bytes
        ports = parameters.memory.ports
        self._flows = [ddr.flow(writes=True) for _ in range(ports)]
        self._under_way = [0] * ports
        self._most = min(parameters.memory.outstanding, memory.accepted_bursts)
        self._turn = 0
        self._change = Change(kernel)

    def write(self, address: int, size: int) -> Process:
        """Until the last block has been taken."""
        for piece in granules(address, size):
            port = self._turn % len(self._flows)
            self._turn += 1
            yield self._kernel.now + piece // self._block_bytes
            while self._under_way[port] >= self._most:
                yield self._change
            self._under_way[port] += 1
            due = self._kernel.now + WRITE_CYCLES
            burst = self._ddr.add(self._flows[port], beats_of(piece), due)
            self._kernel.start(self._answer(port, burst))

    def wait_idle(self) -> Process:
        """Until all that was written has been acknowledged."""
        while any(self._under_way):
            yield self._change

    def _answer(self, port: int, burst: Burst) -> Process:
        while burst.end is None:
            yield burst.moved
        yield burst.end + self._memory.write_latency_cycles
        self._under_way[port] -= 1
        self._change.notify()
