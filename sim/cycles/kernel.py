"""Discrete events: processes that wait for a time or for one another."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Generator
from functools import partial
from itertools import count

Process = Generator["float | Change", None, None]
"""Yields the time until which it waits, or the change that it waits for."""


class Change:
    """Something that processes wait for; `notify` wakes them all."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._waiting: list[Process] = []

    @property
    def now(self) -> float:
        return self._kernel.now

    def wait(self, process: Process) -> None:
        self._waiting.append(process)

    def notify(self) -> None:
        waiting, self._waiting = self._waiting, []
        for process in waiting:
            self._kernel.start(process)


class Kernel:
    """Time in clock cycles, and the processes that wait for a time.

    Processes due at the same time continue in the order in which they began to wait.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def call(self, function: Callable[[], None], time: float | None = None) -> None:
        """Call ``function`` at ``time``, or now, after those that are due earlier."""
        at = self.now if time is None else max(time, self.now)
        heapq.heappush(self._due, (at, next(self._order), function))

    def start(self, process: Process, time: float | None = None) -> None:
        """Let ``process`` go on at ``time``, or now."""
        self.call(partial(self._go_on, process), time)

    def next_time(self) -> float:
        """When something is due next."""
        return self._due[0][0] if self._due else math.inf

    def run(self) -> None:
        """Until nothing is due any more."""
        while self._due:
            self.now, _, function = heapq.heappop(self._due)
            function()

    def _go_on(self, process: Process) -> None:
        wanted = next(process, None)
        if isinstance(wanted, Change):
            wanted.wait(process)
        elif wanted is not None:
            self.start(process, wanted)
