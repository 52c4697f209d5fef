"""The write half of one port."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cycles.kernel import Change, Kernel, Process
from fractrain.sim.cycles.memory import Burst, Ddr, beats_of
from fractrain.sim.memory_model import MemoryModel

ADDRESS_INTERVAL = 2
DATA_CYCLES = 1
"""From a burst's address to its first beat, if no other beats are on their way."""
ANSWER_CYCLES = 2
"""From the answer to a burst to the address that waited for it."""


class WritePort:
    """Bursts of one port: those in its store, and those under way.

    ``stored``: blocks in the store. A block leaves as its beats go into memory's buffer, long
    before memory has written them; ``change`` is then notified.
    """

    def __init__(
        self, kernel: Kernel, ddr: Ddr, parameters: Parameters, memory: MemoryModel, change: Change
    ) -> None:
        self._kernel, self._ddr, self._memory, self._change = kernel, ddr, memory, change
        self._block_beats = beats_of(parameters.block_bytes)
        self._flow = ddr.flow(writes=True)
        self._bursts: deque[tuple[int, float, Callable[[], None]]] = deque()
        self._arrived, self._answered = Change(kernel), Change(kernel)
        self._most = min(parameters.memory.outstanding, memory.accepted_bursts)
        self.stored = self._under_way = 0

    def start(self) -> None:
        self._kernel.start(self._issue())

    def put(self, size: int, time: float, acknowledged: Callable[[], None]) -> None:
        """A burst of ``size`` bytes; its address may be on the port at ``time``."""
        self._bursts.append((size, time, acknowledged))
        self._arrived.notify()

    def _issue(self) -> Process:
        """An address runs ahead of the data by one burst, the one being sent."""
        ends = deque([0.0, 0.0])
        next_address = 0.0
        while True:
            while not self._bursts:
                yield self._arrived
            size, ready, acknowledged = self._bursts[0]
            yield max(self._kernel.now, ready, next_address, ends.popleft())
            while self._under_way >= self._most:
                yield self._answered
            self._bursts.popleft()
            self._under_way += 1
            now = self._kernel.now
            next_address = now + ADDRESS_INTERVAL
            begin = max(now + DATA_CYCLES, ends[0])
            ends.append(begin + beats_of(size))
            for gone in range(self._block_beats, beats_of(size) + 1, self._block_beats):
                self._kernel.call(self._leave, begin + gone)
            burst = self._ddr.add(self._flow, beats_of(size), begin)
            self._kernel.start(self._answer(burst, acknowledged))

    def _leave(self) -> None:
        self.stored -= 1
        self._change.notify()

    def _answer(self, burst: Burst, acknowledged: Callable[[], None]) -> Process:
        while burst.end is None:
            yield burst.moved
        yield burst.end + self._memory.write_latency_cycles + ANSWER_CYCLES
        self._under_way -= 1
        acknowledged()
        self._answered.notify()
        self._change.notify()
