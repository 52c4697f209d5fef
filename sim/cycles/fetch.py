"""The fetch stage: commands become runs of words, several of them under way."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator

from fractrain.hw.contract.commands import (
    Command,
    Fill,
    Load,
    Memory,
    Move,
    Recall,
    Recalled,
    Set,
    Stage,
)
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import RECORD_BYTES
from fractrain.sim.cycles.commands import Task, TaskQueue
from fractrain.sim.cycles.kernel import Change, Kernel, Process
from fractrain.sim.cycles.memories import Memories
from fractrain.sim.cycles.memory import granules
from fractrain.sim.cycles.reader import REQUEST_INTERVAL, Hold, Request
from fractrain.sim.cycles.tokens import Tokens
from fractrain.sim.cycles.totals import Totals
from fractrain.sim.cycles.turns import BlockSink, LineSink, OnChip, Sink, WordSink

IN_FLIGHT = 16
"""Tasks between the request side and the write side."""
START_CYCLES = 5
"""From a task at the gate to its first request."""
END_CYCLES = 3
"""From the last word to the token."""
NEST_CYCLES = 4
"""More to the first request on a machine with a vector unit, whose stage has one nest of loops for
all commands."""
UNIT_END_CYCLES = 2
"""More from the last word to the token, of those that go to the vector unit; a RECALL's last block
goes on as pairs of lines. No word of the next command is taken meanwhile."""
RECALL_CYCLES = 3
"""More to a RECALL's requests, unless its words wait in any case."""
UNIT_BEGIN_CYCLES = 1
"""From then on to the first word of such a command."""
BLOCK_CYCLES = 2
"""Of a block that RECALL turns, beside its words and its pairs of lines."""
QUEUED_REQUESTS = 5
RUNS_TOGETHER = 16
"""Runs that are one request where bursts are left out."""
MOVE_CYCLES = 10
"""Of a MOVE, beside its words."""
COLUMN_CYCLES = 2
"""Of a word that goes to the column memory."""
MOVED_AHEAD = 16
"""Words of a MOVE that are read, or wait for that."""


class FetchModel:
    """Makes the requests of its commands in order; ``busy_cycles`` in which one was at work."""

    def __init__(
        self,
        kernel: Kernel,
        memories: Memories,
        parameters: Parameters,
        queue: TaskQueue,
        tokens: Tokens,
        totals: Totals,
        on_chip: OnChip,
    ) -> None:
        self._kernel, self._memories, self._parameters = kernel, memories, parameters
        self._queue, self._tokens, self._totals = queue, tokens, totals
        self._on_chip = on_chip
        self._open: deque[list[int]] = deque()
        self._change = Change(kernel)
        self._hold: Hold | None = None
        """Of the last MOVE."""
        self._before: Command | None = None
        """Whose words come before the next ones."""
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
            task.times.ready = self._kernel.now
            yield from self._tokens.take(Stage.FETCH, task.command)
            task.times.begun = self._kernel.now
            while len(self._open) >= IN_FLIGHT:
                yield self._change
            self._queue.pop()
            idle = not self._open
            if task.skip:
                task.times.worked = task.times.ended = self._kernel.now + END_CYCLES
                self._tokens.give(Stage.FETCH, task.command, self._kernel.now + END_CYCLES)
                yield self._kernel.now + 1
                continue
            self._begin()
            if idle:
                nest = NEST_CYCLES if self._parameters.vector is not None else 0
                yield self._kernel.now + START_CYCLES + nest
            if isinstance(task.command, Move):
                self._hold, self._before = Hold(self._kernel), None
                entry = [0]
                self._open.append(entry)
                self._kernel.start(self._move(task, task.command, entry, self._hold))
                yield self._kernel.now + 1
            else:
                yield from self._requests(task)

    def _move(self, task: Task, command: Move, entry: list[int], hold: Hold) -> Process:
        """Behind all words that are under way; those of later commands are asked for, and wait."""
        while self._open[0] is not entry:
            yield self._change
        yield self._kernel.now + MOVE_CYCLES
        yield from self._columns(task.digits * command.runs * command.words)
        self._open.popleft()
        hold.end()
        self._change.notify()
        self._end()
        task.times.worked = task.times.ended = self._kernel.now + END_CYCLES
        self._tokens.give(Stage.FETCH, command, self._kernel.now + END_CYCLES)

    def _columns(self, words: int) -> Process:
        """Words are read in turns of the plane memory, ahead of the column memory."""
        planes, read = self._on_chip.planes, self._kernel.now
        put = deque([read] * MOVED_AHEAD)
        for _ in range(words):
            read = yield from planes.next_turn(max(read + 1, put.popleft()))
            put.append(max(put[-1] + COLUMN_CYCLES, read + 1))
        yield max(self._kernel.now, put[-1])

    def _runs(self, task: Task) -> Iterator[tuple[int, int]]:
        """Address and size in bytes of each run of words."""
        command, word, line = task.command, self._parameters.word_bytes, self._parameters.line_bytes
        if isinstance(command, Load):
            for digit in range(task.digits):
                for run in range(command.runs):
                    place = digit * command.digit_stride + run * command.run_stride
                    yield command.address + word * place, command.words * word
        elif isinstance(command, Recall):
            planes = self._recalled(task, command)
            for group in range(command.channel_groups):
                for block in range(command.blocks):
                    for plane in planes:
                        place = plane * command.plane_stride + group * command.group_stride + block
                        yield command.address + word * place, word
        elif isinstance(command, Fill):
            for run in range(command.runs):
                yield command.address + line * run * command.run_stride, line * command.lines
        else:
            assert isinstance(command, Set)
            yield command.address, word * command.words

    @staticmethod
    def _recalled(task: Task, command: Recall) -> list[int]:
        """Planes of a RECALL."""
        bits = command.bits
        if command.kind is not Recalled.RESIDUAL:
            assert task.kept is not None
            bits = task.kept.outer if command.kind is Recalled.END else task.kept.inner
        return [*range(bits), *([command.mask_plane] if command.masked else [])]

    def _word_cycles(self, command: Command) -> float:
        """In which a word is taken; of a SET a record at a time."""
        if isinstance(command, Set):
            return self._parameters.word_bytes / RECORD_BYTES
        return COLUMN_CYCLES if _to_columns(command) else 1

    @property
    def _turn_cycles(self) -> int:
        """Of a block of RECALL, whose words are all there."""
        return self._parameters.block.channels // 2 + BLOCK_CYCLES

    def _pauses(self, task: Task) -> Iterator[float]:
        """Before each run of words: while the unit of the command before ends."""
        command, before = task.command, self._before
        self._before = command
        first = self._last_lines(before) if before else 0
        yield first if isinstance(command, Load) else first + UNIT_BEGIN_CYCLES
        yield from itertools.repeat(0)

    def _sink(self, task: Task) -> Sink | None:
        """What takes the words of a command at a port that others use, too."""
        command, p, on_chip = task.command, self._parameters, self._on_chip
        if p.vector is None:
            return None
        if isinstance(command, Fill):
            return LineSink(on_chip.staging, max(1, p.line_bytes // p.word_bytes))
        if isinstance(command, Recall):
            planes = len(self._recalled(task, command))
            return BlockSink(on_chip.side, planes, p.block.channels // 2)
        if isinstance(command, Load) and not _to_columns(command):
            return WordSink(on_chip.planes)
        return None

    def _last_lines(self, command: Command) -> int:
        """Cycles from the last word to the lines or the record of it."""
        if isinstance(command, Recall):
            return UNIT_END_CYCLES + self._turn_cycles - 1
        return 0 if isinstance(command, Load) else UNIT_END_CYCLES

    def _requests(self, task: Task) -> Process:
        command = task.command
        runs = list(self._runs(task))
        total = sum(size for _, size in runs)
        counter = "BYTES_READ" if isinstance(command, Load) else "STASH_READ"
        self._totals.add(command.tag, counter, total)
        task.times.bytes_moved += total
        left = [total]
        self._open.append(left)
        lines = self._last_lines(command)

        def close() -> None:
            self._open.remove(left)
            self._change.notify()

        def deliver(taken: int, time: float) -> None:
            left[0] -= taken
            if left[0] == 0:
                end = time + lines + END_CYCLES
                task.times.ended = end
                self._kernel.call(close, time + lines)
                self._kernel.call(self._end, end)
                self._tokens.give(Stage.FETCH, command, end)

        word_cycles, pauses = self._word_cycles(command), self._pauses(task)
        sink = self._sink(task)
        together = RUNS_TOGETHER if self._memories.fluid else 1
        for first in range(0, len(runs), together):
            some = runs[first : first + together]
            reader = self._memories.reader(some[0][0])
            while reader.waiting(1) >= QUEUED_REQUESTS:
                yield reader.asked
            pieces = [piece for run in some for piece in granules(*run)]
            pause = sum(itertools.islice(pauses, len(some)))
            time = self._kernel.now + (RECALL_CYCLES if isinstance(command, Recall) else 0)
            request = Request(1, pieces, word_cycles, deliver, time, self._hold, pause, sink)
            reader.request(request)
            # one in a cycle; the reader takes fewer, which counts here if these are many
            yield self._kernel.now + (REQUEST_INTERVAL * len(some) if together > 1 else 1)
        task.times.worked = self._kernel.now


def _to_columns(command: Command) -> bool:
    return isinstance(command, Load) and command.memory is Memory.COLUMNS
