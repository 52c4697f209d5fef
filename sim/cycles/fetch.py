"""The fetch stage: LOADs become runs of words, several of them under way."""

from __future__ import annotations

from collections import deque

from fractrain.hw.contract.commands import Load, Memory, Stage
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cycles.commands import Task, TaskQueue
from fractrain.sim.cycles.kernel import Change, Kernel, Process
from fractrain.sim.cycles.memory import granules
from fractrain.sim.cycles.reader import Reader, Request
from fractrain.sim.cycles.tokens import Tokens
from fractrain.sim.cycles.totals import Totals

IN_FLIGHT = 16
"""Tasks between the request side and the write side."""
REQUEST_INTERVAL = 2
START_CYCLES = 5
"""From a task at the gate to its first request."""
END_CYCLES = 3
"""From the last word to the token."""
QUEUED_REQUESTS = 2


class FetchModel:
    """Makes the requests of LOADs in order; ``busy_cycles`` of them in which one was at work."""

    def __init__(
        self,
        kernel: Kernel,
        reader: Reader,
        parameters: Parameters,
        queue: TaskQueue,
        tokens: Tokens,
        totals: Totals,
    ) -> None:
        self._kernel, self._reader, self._parameters = kernel, reader, parameters
        self._queue, self._tokens, self._totals = queue, tokens, totals
        self._open: deque[list[int]] = deque()
        self._change = Change(kernel)
        self._at_work = 0
        self._busy_since = 0.0
        self._busy_before = 0.0

    def busy_cycles(self) -> float:
        """Until now."""
        running = self._kernel.now - self._busy_since if self._at_work else 0.0
        return self._busy_before + running

    def _begin(self) -> None:
        if not self._at_work:
            self._busy_since = self._kernel.now
        self._at_work += 1

    def _end(self) -> None:
        self._at_work -= 1
        if not self._at_work:
            self._busy_before += self._kernel.now - self._busy_since

    def start(self) -> None:
        self._kernel.start(self._run())

    def _run(self) -> Process:
        while True:
            yield from self._queue.get()
            if not self._queue.tasks:
                return
            task = self._queue.tasks[0]
            yield from self._tokens.take(Stage.FETCH, task.command)
            while len(self._open) >= IN_FLIGHT:
                yield self._change
            self._queue.pop()
            idle = not self._open
            if task.skip:
                self._tokens.give(Stage.FETCH, task.command, self._kernel.now + END_CYCLES)
                yield self._kernel.now + 1
                continue
            self._begin()
            if idle:
                yield self._kernel.now + START_CYCLES
            yield from self._requests(task)

    def _requests(self, task: Task) -> Process:
        command, word = task.command, self._parameters.word_bytes
        assert isinstance(command, Load)
        size = command.words * word
        total = task.digits * command.runs * size
        self._totals.add_bytes(command.tag, total, written=False)
        left = [total]
        self._open.append(left)

        def deliver(taken: int, time: float) -> None:
            left[0] -= taken
            if left[0] == 0:
                self._open.remove(left)
                self._kernel.call(self._end, time + END_CYCLES)
                self._tokens.give(Stage.FETCH, command, time + END_CYCLES)
                self._change.notify()

        word_cycles = 1 if command.memory is Memory.PLANES else 2
        for digit in range(task.digits):
            for run in range(command.runs):
                while self._reader.waiting(1) >= QUEUED_REQUESTS:
                    yield self._reader.asked
                address = command.address + word * (
                    digit * command.digit_stride + run * command.run_stride
                )
                pieces = granules(address, size)
                self._reader.request(Request(1, pieces, word_cycles, deliver, self._kernel.now))
                yield self._kernel.now + REQUEST_INTERVAL
