"""The execute stage: windows, passes, and what they wait for."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass

from fractrain.hw.contract.commands import Convolve, Pattern, Stage
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cycles.commands import Task, TaskQueue
from fractrain.sim.cycles.fetch import FetchModel
from fractrain.sim.cycles.kernel import Change, Kernel, Process
from fractrain.sim.cycles.result import ResultModel
from fractrain.sim.cycles.tiles import TileWork, tile_work
from fractrain.sim.cycles.tokens import Tokens
from fractrain.sim.cycles.totals import Totals
from fractrain.sim.cycles.walk import Walk

PASS_CYCLES = 12
"""From a task at the gate to its first pass on offer."""
WINDOW_CYCLES = 20
"""From a task at the gate to its first window, if that has one pair of reads."""
GATE_INTERVAL = 3
"""Between tasks that leave the gate."""
END_CYCLES = 4
"""From a task's last pass to its token."""


@dataclass(frozen=True)
class Accepted:
    """A task behind the gate since ``time``, and the work of a CONVOLVE."""

    task: Task
    time: float
    work: TileWork | None


class ExecuteModel:
    """Takes tasks through the gate, and issues their passes tile by tile."""

    def __init__(
        self,
        kernel: Kernel,
        parameters: Parameters,
        queue: TaskQueue,
        tokens: Tokens,
        totals: Totals,
        fetch: FetchModel,
        result: ResultModel,
    ) -> None:
        self._kernel, self._parameters, self._queue = kernel, parameters, queue
        self._tokens, self._totals = tokens, totals
        self._fetch, self._result = fetch, result
        self._table: dict[int, Pattern] = {}
        self._accepted: deque[Accepted] = deque()
        self._change = Change(kernel)
        self._walk = Walk(kernel)
        self._last_pass = 0.0
        self._last_admitted = 0.0
        tokens.tell(Stage.EXECUTE, self._change)

    def start(self) -> None:
        self._kernel.start(self._gate())
        self._kernel.start(self._issue())

    # -- the gate ---------------------------------------------------------------------------

    def _gate(self) -> Process:
        while True:
            yield from self._queue.get()
            if not self._queue.tasks:
                return
            task = self._queue.tasks[0]
            task.times.ready = self._kernel.now
            yield from self._wait_for_tokens(task)
            task.times.begun = self._kernel.now
            work = self._work(task)
            if work is None:
                yield from self._walk.enter(None)
            else:
                assert isinstance(task.command, Convolve)
                yield from self._walk.enter((task.command, work, task.digits))
            if isinstance(task.command, Pattern):
                # its turn comes when all reads before it have been looked up
                yield from self._walk.looked_up()
                self._table[task.command.entry] = task.command
                self._queue.pop()
                task.times.worked = task.times.ended = self._kernel.now + END_CYCLES
                self._tokens.give(Stage.EXECUTE, task.command, self._kernel.now + END_CYCLES)
            else:
                self._queue.pop()
                self._accepted.append(Accepted(task, self._kernel.now, work))
                self._change.notify()
            yield self._kernel.now + GATE_INTERVAL

    def _work(self, task: Task) -> TileWork | None:
        """Of a CONVOLVE that is not skipped, with the pattern of now."""
        command = task.command
        if task.skip or not isinstance(command, Convolve):
            return None
        entries = [self._table[command.pattern + i] for i in range(command.pairs)]
        return tile_work(command, entries, task.digits, task.partner_digits)

    def _wait_for_tokens(self, task: Task) -> Process:
        missing = self._tokens.missing(Stage.EXECUTE, task.command)
        if not missing:
            yield from self._tokens.take(Stage.EXECUTE, task.command)
            return
        # the array goes on with what is behind the gate
        while self._accepted and self._tokens.missing(Stage.EXECUTE, task.command):
            yield self._change
        since, busy = self._kernel.now, self._fetch.busy_cycles()
        yield from self._tokens.take(Stage.EXECUTE, task.command)
        waited = self._kernel.now - since
        loading = min(waited, self._fetch.busy_cycles() - busy) if Stage.FETCH in missing else 0.0
        self._totals.add(task.command.tag, "STALL_MEMORY", loading)
        self._totals.add(task.command.tag, "STALL_TOKEN", waited - loading)

    # -- the passes -------------------------------------------------------------------------

    def _issue(self) -> Process:
        feed_ready = 0.0
        while True:
            while not self._accepted:
                yield self._change
            accepted = self._accepted[0]
            task = accepted.task
            if accepted.work is None:
                yield max(self._kernel.now, accepted.time + PASS_CYCLES)
                task.times.started = task.times.worked = self._kernel.now
                task.times.ended = self._kernel.now + END_CYCLES
                self._tokens.give(Stage.EXECUTE, task.command, self._kernel.now + END_CYCLES)
            else:
                window = accepted.time + WINDOW_CYCLES + accepted.work.first_read - 1
                window = max(feed_ready, window)
                feed_ready = yield from self._passes(accepted, accepted.work, window)
            self._accepted.popleft()
            self._change.notify()

    def _passes(
        self, accepted: Accepted, work: TileWork, window: float
    ) -> Generator[float | Change, None, float]:
        command, tag = accepted.task.command, accepted.task.command.tag
        assert isinstance(command, Convolve)
        offered = max(self._last_pass + 1, accepted.time + PASS_CYCLES)
        start = max(offered, window)
        self._totals.add(tag, "STALL_OPERAND", start - offered)
        yield start
        times = accepted.task.times
        times.started = start
        for passes, cycles in zip(work.passes.tolist(), work.cycles.tolist(), strict=True):
            self._walk.progress.begin(cycles)
            self._totals.add(tag, "BUSY", passes)
            self._totals.add(tag, "STALL_OPERAND", cycles - passes)
            last = self._kernel.now + cycles - 1
            yield last
            if command.finish:
                yield from self._result.admit(self._last_admitted)
                self._totals.add(tag, "STALL_RESULT", self._kernel.now - last)
                times.wait("STALL_RESULT", self._kernel.now - last)
                self._last_admitted = self._kernel.now
            self._last_pass = self._kernel.now
            yield self._kernel.now + 1
        times.worked, times.ended = self._last_pass, self._last_pass + END_CYCLES
        self._tokens.give(Stage.EXECUTE, command, self._last_pass + END_CYCLES)
        return self._last_pass + 1
