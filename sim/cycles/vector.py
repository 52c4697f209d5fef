"""The vector stage: its commands one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from fractrain.hw.contract.commands import (
    Apply,
    Carry,
    Channel,
    Command,
    Form,
    Normalize,
    Recompute,
    Report,
    Second,
    Shape,
    Spill,
    Stage,
)
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import RECORD_BYTES
from fractrain.sim.cycles.commands import Task, TaskQueue
from fractrain.sim.cycles.kernel import Kernel, Process
from fractrain.sim.cycles.memories import Memories
from fractrain.sim.cycles.result import ResultModel
from fractrain.sim.cycles.tokens import Tokens
from fractrain.sim.cycles.totals import Totals
from fractrain.sim.cycles.turns import OnChip, Turns, turn_of_all
from fractrain.sim.cycles.vector_work import Lined, Pass, passes_of
from fractrain.sim.cycles.weight_commands import WeightCommands
from fractrain.sim.cycles.weight_streams import WriteBehind

SKIP_CYCLES = 4
"""Of a task that is skipped."""
OWN_CYCLES = 5
"""Of a task, beside those of the unit that carries it out."""
TOKEN_CYCLES = 4
"""From a task's end to its tokens."""
SHAPE_CYCLES = 3
BEGIN_CYCLES = 10
"""Of lines: from a task, with its own cycles, to its first line, but for what is prepared."""
PREPARED = {8: 66, 16: 66}
"""Cycles in which a command's ways out are listed, by the channels of a block."""
THROUGH_CYCLES = 20
"""From a line's entry to the corner turn's end."""
SIDE_CYCLES = 20
"""From there to its turn at the side memory."""
PLANE_CYCLES = 2
"""From the corner turn's end to the plane memory."""
END_CYCLES = 27
"""From the last line to the end, if nothing goes to memory; the corner turn is emptied, too."""
APPLY_END_CYCLES, CARRY_END_CYCLES = 46, 18
PEAK_CYCLES = 4
"""To find the greatest of the lanes' peaks, beside one for each lane."""
QUIET_CYCLES = 3
"""From the last acknowledgement of words of the stash to that."""
LINES_OF_BYTES, BYTES_CYCLES = 32, 36
"""Random bytes of so many lines of an APPLY are on their way at most, and how long they are."""
STASH_WORDS = 32
"""Words of the stash that have their places in front of the queue."""
CHANNEL_CYCLES = (54, 76)
"""Of a channel, forward and backward. Forward it depends on the numbers: of a channel that has
some variance."""
CHANNEL_BEGIN_CYCLES, CHANNEL_END_CYCLES = 3, 7
SPILL_BEGIN_CYCLES, SPILL_READ_CYCLES = 2, 6
"""To the first read, and from there to its block."""
SPILL_LINES = 8
"""Of SPILL, that are being read or have not left."""
PEAK_READ_CYCLES, PEAKS_SENT_CYCLES = 4, 1
"""Of REPORT: a peak, and a block of them."""
PEAK_BYTES = 8


class VectorModel:
    """Takes tasks through the gate and carries them out. A command ends when the queue to memory
    has taken what it wrote, or memory has acknowledged it; before that the next one does not
    begin."""

    def __init__(
        self,
        kernel: Kernel,
        memories: Memories,
        parameters: Parameters,
        queue: TaskQueue,
        tokens: Tokens,
        totals: Totals,
        result: ResultModel,
        on_chip: OnChip,
    ) -> None:
        self._kernel, self._parameters = kernel, parameters
        self._queue, self._tokens, self._totals = queue, tokens, totals
        self._on_chip = on_chip
        self._behind = WriteBehind(kernel, memories, totals, parameters.block_bytes)
        self._fluid, self._piece_bytes = memories.fluid, memories.piece_bytes
        self._weights = WeightCommands(kernel, memories, self._behind, parameters, totals, result)
        self._shapes: dict[int, Shape] = {}
        self._ports: list[Turns] = []
        """Those at which the command at work reads."""
        self._work: Mapping[type, Callable[[Task], Process]] = {
            Shape: self._shape,
            Channel: self._channel,
            Spill: self._spill,
            Report: self._report,
            **self._weights.work,
        }

    def start(self) -> None:
        self._behind.start()
        self._kernel.start(self._run())

    def _run(self) -> Process:
        while True:
            yield from self._queue.get()
            if not self._queue.tasks:
                return
            task = self._queue.tasks[0]
            since = task.times.ready = self._kernel.now
            yield from self._tokens.take(Stage.VECTOR, task.command)
            task.times.begun = self._kernel.now
            self._count(task, "VECTOR_STALL_TOKEN", self._kernel.now - since)
            self._queue.pop()
            if task.skip:
                yield self._kernel.now + SKIP_CYCLES
                yield from self._behind.written(task.command, 0)
            else:
                yield self._kernel.now + OWN_CYCLES
                lines = isinstance(task.command, Lined)
                yield from self._lines(task) if lines else self._work[type(task.command)](task)
            task.times.worked = self._kernel.now
            task.times.ended = self._kernel.now + TOKEN_CYCLES
            self._tokens.give(Stage.VECTOR, task.command, task.times.ended)

    def _count(self, task: Task, counter: str, cycles: float) -> None:
        self._totals.add(task.command.tag, counter, cycles)
        task.times.wait(counter, cycles)

    # -- lines --------------------------------------------------------------------------------

    def _lines(self, task: Task) -> Process:
        """The words of a block leave the corner turn as the lines of the next one come."""
        command, p = task.command, self._parameters
        assert isinstance(command, Lined)
        shape = self._shapes.get(command.shape)
        if shape is None:
            raise ParameterError("shape", command.shape, "one that a SHAPE has written")
        self._ports = self._read_ports(command)
        before = BEGIN_CYCLES - OWN_CYCLES + PREPARED[p.block.channels]
        yield self._kernel.now + before
        last: Pass | None = None
        begun: deque[float] = deque()
        for each in passes_of(task, shape, p):
            yield from self._room(task, last, each)
            if isinstance(command, Apply):
                if len(begun) == LINES_OF_BYTES // p.block.channels:
                    yield max(self._kernel.now, begun.popleft() + BYTES_CYCLES)
                begun.append(self._kernel.now)
            self._leave(task, last, each.cycles // p.block.channels)
            self._totals.add(command.tag, "VECTOR_BUSY", each.lines)
            if each.kept:
                step = each.cycles // each.lines
                first = self._kernel.now + SIDE_CYCLES + step - 1
                self._on_chip.side.take(first, each.lines, step)
            yield from self._read(task, each)
            last = each
        self._leave(task, last)
        yield from self._end(command)

    def _read_ports(self, command: Command) -> list[Turns]:
        """Of the memories that a command reads lines of."""
        staging, side = self._on_chip.staging_reads, self._on_chip.side_reads
        if isinstance(command, Form):
            second = command.second
            found = [staging] if command.normalized or second is Second.SHORTCUT else []
            return [*found, side] if second is Second.RESIDUAL else found
        if isinstance(command, Normalize):
            return [staging]
        if isinstance(command, Recompute):
            return [side]
        if isinstance(command, Carry) and not (command.masked or command.totals):
            return [staging]
        return [staging, side]

    def _read(self, task: Task, each: Pass) -> Process:
        """The lines of a pass, pair by pair where others may read, who come first."""
        kernel = self._kernel
        if not any(port.contended for port in self._ports):
            yield kernel.now + each.cycles
            return
        time, pairs = kernel.now, self._parameters.block.channels // 2
        for _ in range(pairs):
            since = time
            time = yield from turn_of_all(self._ports, time, lambda: kernel.now)
            self._count(task, "VECTOR_STALL_BANK", time - since)
            time += each.cycles / pairs
        yield time

    def _end(self, command: Command) -> Process:
        """Until the last line's results are where they belong."""
        p, now = self._parameters, self._kernel.now
        peak = p.array.rows + PEAK_CYCLES
        if isinstance(command, Carry):
            yield now + CARRY_END_CYCLES + peak
            return
        own = APPLY_END_CYCLES if isinstance(command, Apply) else END_CYCLES
        quiet = now + own + p.block.channels
        yield from self._behind.written(command)
        if self._kernel.now > now:
            quiet = max(quiet, self._kernel.now + QUIET_CYCLES)
        yield quiet + (peak if isinstance(command, Form | Apply) else 0)

    def _room(self, task: Task, last: Pass | None, each: Pass) -> Process:
        """Until the words of ``each`` have places beside those of the pass before."""
        since = self._kernel.now
        held = sum(size for *_, size in [*each.writes, *(last.writes if last else [])])
        most = STASH_WORDS * self._parameters.word_bytes + self._behind.room_bytes
        while self._behind.held and self._behind.held + held > most:
            yield self._behind.taken
        self._count(task, "VECTOR_STALL_WRITE", self._kernel.now - since)

    def _leave(self, task: Task, last: Pass | None, each: int = 1) -> None:
        """What is left of a pass, a place of the turn every ``each`` cycles from now on."""
        if last is None:
            return
        time = self._kernel.now + THROUGH_CYCLES
        self._on_chip.planes.take(time + PLANE_CYCLES, last.planes, each)
        writes = last.writes
        if self._fluid and writes:
            writes = [(*writes[0][:2], sum(size for *_, size in writes))]
        for place, address, size in writes:
            self._behind.put(task.command, address, size, time + each * place)
            task.times.bytes_moved += size
        if last.pooled is not None:
            self._behind.put(task.command, *last.pooled, time)
            task.times.bytes_moved += last.pooled[1]

    # -- others -------------------------------------------------------------------------------

    def _shape(self, task: Task) -> Process:
        assert isinstance(task.command, Shape)
        self._shapes[task.command.entry] = task.command
        yield self._kernel.now + SHAPE_CYCLES

    def _channel(self, task: Task) -> Process:
        """Records, forward, and sums fill a block each."""
        command, block = task.command, self._parameters.block_bytes
        assert isinstance(command, Channel)
        since = self._kernel.now
        yield since + CHANNEL_BEGIN_CYCLES
        channels = command.channel_groups * self._parameters.block.channels
        cycles = CHANNEL_CYCLES[command.backward]
        if command.backward:
            cycles += self._lowered(task, command)
        places = [command.address]
        if not command.backward:
            places.append(command.address + RECORD_BYTES * channels)
        for channel in range(channels):
            yield self._kernel.now + cycles
            offset = RECORD_BYTES * (channel + 1) - block
            if offset % block == 0:
                for place in places:
                    yield from self._behind.room()
                    self._behind.put(command, place + offset, block, self._kernel.now)
                    task.times.bytes_moved += block
        yield self._kernel.now + CHANNEL_END_CYCLES
        yield from self._behind.written(command)
        self._count(task, "VECTOR_CHANNEL", self._kernel.now - since)

    def _lowered(self, task: Task, command: Channel) -> int:
        """Bits that the side memory has below those of x̂."""
        assert task.kept is not None and self._parameters.vector is not None
        bits = task.kept.outer if command.end else task.kept.inner
        return self._parameters.vector.side_bits - bits

    def _spill(self, task: Task) -> Process:
        command, line = task.command, self._parameters.line_bytes
        assert isinstance(command, Spill)
        reads = self._on_chip.staging_reads
        yield self._kernel.now + SPILL_BEGIN_CYCLES
        task.times.bytes_moved += line * command.runs * command.lines
        self._totals.add(command.tag, "VECTOR_BUSY", command.runs * command.lines)
        some = max(1, self._piece_bytes // line)
        read, left = self._kernel.now, deque([self._kernel.now] * SPILL_LINES)
        for run in range(command.runs):
            address = command.address + line * run * command.run_stride
            for first in range(0, command.lines, some):
                size = line * min(some, command.lines - first)
                for _ in range(size // line):
                    read = max(read + 1, left.popleft())
                    read = yield from reads.turn(read)
                    came = read + SPILL_READ_CYCLES
                    left.append(max(left[-1] + line // self._parameters.block_bytes, came))
                yield max(self._kernel.now, came)
                yield from self._behind.room()
                self._behind.put(command, address + line * first, size, self._kernel.now)
                yield self._kernel.now + size // self._parameters.block_bytes
                left[-1] = self._kernel.now
        yield from self._behind.written(command)

    def _report(self, task: Task) -> Process:
        command, block = task.command, self._parameters.block_bytes
        assert isinstance(command, Report)
        task.times.bytes_moved += command.blocks * block
        for number in range(command.blocks):
            yield self._kernel.now + block // PEAK_BYTES * PEAK_READ_CYCLES + PEAKS_SENT_CYCLES
            place = command.address + block * number
            yield from self._behind.room()
            self._behind.put(command, place, block, self._kernel.now)
        yield from self._behind.written(command)
