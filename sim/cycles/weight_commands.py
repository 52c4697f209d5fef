"""QUANTIZE and UPDATE: weights from memory, and back."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Mapping

from fractrain.hw.contract.bursts import BEAT_BYTES, BURST_BYTES
from fractrain.hw.contract.commands import Quantize, Update
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand
from fractrain.sim.cycles.commands import Task
from fractrain.sim.cycles.kernel import Change, Kernel, Process
from fractrain.sim.cycles.memories import Memories
from fractrain.sim.cycles.result import ResultModel
from fractrain.sim.cycles.totals import Totals
from fractrain.sim.cycles.weight_streams import ReadAhead, WriteBehind

WEIGHT_BYTES = 4
QUANTIZED_PER_CYCLE = 4
"""Weights that QUANTIZE takes."""
RUN_WORDS = 8
"""Of memory, that QUANTIZE asks for at a time."""
TURNED_BLOCKS = 4
"""Blocks of weights that have begun and whose planes have not left."""
TOGETHER = 2
"""Blocks whose planes leave side by side."""
QUANTIZE_BEGIN_CYCLES = 7
"""From a task to its first request: the record."""
QUANTIZE_END_CYCLES = 2
"""From its last planes to the end."""
QUANTIZE_CYCLES = 12
"""From the last weights of a block to its planes, beside one for each bit."""
PLANES_CYCLES = 2
"""Between the planes of some blocks and the next ones."""
UPDATE_LANES, UPDATE_INTERVAL = 4, 4
"""Weights that enter UPDATE together, and how often."""
UPDATE_BEGIN_CYCLES = 9
"""From a task to its first request: the check, the record."""
RANDOM_CYCLES = 92
"""From a task to the first random bytes, but for a cycle for each channel of a filter: the key
bit by bit, the generator."""
MOMENTUM_CYCLES, UPDATE_CYCLES = 16, 29
"""From a weight's entry to its momentum, and to itself."""
SUMS_AHEAD = 4
"""Words of the gradient memory that UPDATE has read, one for each of memory."""
SUMS_CYCLES = 5
"""From a turn there to its sums."""
UPDATE_END_CYCLES = 20
"""From the last weight to the peaks: the statistics are collected."""


class Sums:
    """Words of the gradient memory, read ahead of an UPDATE."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel, self._change = kernel, Change(kernel)
        self._came: deque[float] = deque()
        self._left = SUMS_AHEAD

    def read(self, result: ResultModel, count: int) -> Process:
        """``count`` of them."""
        for _ in range(count):
            while not self._left:
                yield self._change
            self._left -= 1
            yield from result.read_beat()
            self._came.append(self._kernel.now + SUMS_CYCLES)
            self._change.notify()

    def take(self) -> Generator[float | Change, None, float]:
        """Wait for one; when it is there, or will be."""
        while not self._came:
            yield self._change
        return self._came.popleft()

    def leave(self) -> None:
        """One has been used: another one may be read."""
        self._left += 1
        self._change.notify()


class WeightCommands:
    """Carries out QUANTIZE and UPDATE: ``work`` by command."""

    def __init__(
        self,
        kernel: Kernel,
        memories: Memories,
        behind: WriteBehind,
        parameters: Parameters,
        totals: Totals,
        result: ResultModel,
    ) -> None:
        self._kernel, self._behind, self._parameters = kernel, behind, parameters
        self._totals, self._result = totals, result
        self._ahead = ReadAhead(kernel, memories, parameters)
        self.work: Mapping[type, Callable[[Task], Process]] = {
            Quantize: self._quantize,
            Update: self._update,
        }
        self._whole: deque[float] = deque()
        """When each block of QUANTIZE is whole that is not yet written."""
        self._turned = 0
        self._change = Change(kernel)

    def _read(self, task: Task, size: int, since: float) -> None:
        """Count ``size`` bytes that a command has read since then, and all cycles without a word of
        them."""
        tag, word = task.command.tag, self._parameters.word_bytes
        self._totals.add(tag, "STASH_READ", size)
        task.times.bytes_moved += size
        waits = self._kernel.now - since - size / word
        self._totals.add(tag, "VECTOR_STALL_READ", waits)
        task.times.wait("VECTOR_STALL_READ", waits)

    # -- QUANTIZE -----------------------------------------------------------------------------

    def _quantize(self, task: Task) -> Process:
        command, p = task.command, self._parameters
        assert isinstance(command, Quantize)
        since = self._kernel.now
        bits = task.digits if command.operand is Operand.WEIGHT else task.partner_digits
        size = WEIGHT_BYTES * p.block.channels * p.array.rows
        yield since + QUANTIZE_BEGIN_CYCLES
        self._kernel.start(self._turn(command, size, bits))
        for first in range(0, command.blocks, TOGETHER):
            members = range(first, min(first + TOGETHER, command.blocks))
            while len(self._whole) < len(members):
                yield self._change
            yield max(self._kernel.now, self._whole[len(members) - 1])
            for _ in members:
                self._whole.popleft()
            for plane in range(bits):
                place = command.destination + p.word_bytes * (plane * command.plane_stride + first)
                yield from self._behind.room()
                together = p.word_bytes * len(members)
                self._behind.put(command, place, together, self._kernel.now)
                task.times.bytes_moved += together
                yield self._kernel.now + len(members)
            self._turned -= len(members)
            self._change.notify()
            yield self._kernel.now + PLANES_CYCLES
        yield self._kernel.now + QUANTIZE_END_CYCLES
        yield from self._behind.written(command)
        self._read(task, size * command.blocks, since)

    def _turn(self, command: Quantize, size: int, bits: int) -> Process:
        """Weights into the blocks that become planes."""
        word = self._parameters.word_bytes
        run = RUN_WORDS * word
        places = list(range(command.source, command.source + size * command.blocks, run))
        cycles = run / WEIGHT_BYTES / QUANTIZED_PER_CYCLE
        granule = max(BURST_BYTES, word)
        coming = (granule - word) / BEAT_BYTES + (run - granule) / word
        free = self._kernel.now
        for number, arrival in enumerate(self._ahead.runs(places, run)):
            if number * run % size == 0:
                while self._turned >= TURNED_BLOCKS:
                    yield self._change
                    free = self._kernel.now
                self._turned += 1
            yield from arrival.wait()
            # the first words enter while the others come, by all ports
            free = max(self._kernel.now, self._kernel.now - coming + cycles, free + cycles)
            yield free
            if (number + 1) * run % size == 0:
                self._whole.append(free + QUANTIZE_CYCLES + bits)
                self._change.notify()

    # -- UPDATE -------------------------------------------------------------------------------

    def _update(self, task: Task) -> Process:
        """Weights and momenta in turn, run by run, both ways."""
        command, p = task.command, self._parameters
        assert isinstance(command, Update)
        since = self._kernel.now
        enables = (command.a_enable, command.a_address), (command.b_enable, command.b_address)
        size = WEIGHT_BYTES * p.block.channels**2
        run = max(BURST_BYTES, p.word_bytes)
        places = [
            place
            for enabled, address in enables
            if enabled
            for half in range(address, address + size, run)
            for place in (half, half + command.velocity)
        ]
        yield since + UPDATE_BEGIN_CYCLES
        words = run // p.word_bytes
        intervals = max(0, math.ceil((words + 1) / UPDATE_INTERVAL) - 1)
        sorted_out = intervals * UPDATE_INTERVAL
        cycles = p.word_bytes / WEIGHT_BYTES / UPDATE_LANES * UPDATE_INTERVAL
        sums = Sums(self._kernel)
        if not task.absent:
            self._kernel.start(sums.read(self._result, len(places) // 2 * words))
        free = 0.0
        for number, arrival in enumerate(self._ahead.runs(places, run)):
            yield from arrival.wait()
            if number % 2 == 0:  # weights, which wait for their momenta
                free = max(self._kernel.now, free + sorted_out)
                yield free
                continue
            free = max(free, since + RANDOM_CYCLES + p.block.channels)
            # they enter as they come, a beat in a cycle
            free = max(self._kernel.now - (run - p.word_bytes) / BEAT_BYTES, free)
            for _ in range(words):
                came = 0.0 if task.absent else (yield from sums.take())
                free = max(free, came) + cycles
                yield max(self._kernel.now, free - UPDATE_INTERVAL)  # the last ones have entered
                sums.leave()
            yield from self._behind.room()
            blocks = run // p.block_bytes
            for place, late in (
                (places[number], MOMENTUM_CYCLES),
                (places[number - 1], UPDATE_CYCLES),
            ):
                self._behind.put(command, place, run, free + late - blocks)
                task.times.bytes_moved += run
        if places:
            yield free + UPDATE_CYCLES + UPDATE_END_CYCLES
        yield from self._behind.written(command)
        self._read(task, run * len(places), since)
