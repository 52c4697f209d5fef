"""The result stage: tiles in the order of the commands, to the port, to memory, or into the staging
memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass

from fractrain.hw.contract.commands import (
    Earlier,
    Format,
    Join,
    Narrow,
    RowPixels,
    Stage,
    Store,
)
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cycles.commands import Task, TaskQueue
from fractrain.sim.cycles.kernel import Change, Kernel, Process
from fractrain.sim.cycles.sender import Sender
from fractrain.sim.cycles.tokens import Tokens
from fractrain.sim.cycles.turns import OnChip

ARRAY_CYCLES = 17
"""From a tile's last pass to its first beat's way out of the queue."""
SUM_CYCLES = 3
"""From there to the sum, which goes to the port or into blocks."""
NARROW_CYCLES = 8
"""From there to the corner turn; so many beats are on their way."""
LEAVE_CYCLES = 3
"""From a tile's last beat's way out of the queue to the admission of another tile."""
LINES_CYCLES = 39
"""From a JOIN's last line to the first of the next command, beside a cycle for each lane, whose
peaks are compared."""
NARROWED_CYCLES = 3
"""So much sooner are lines of a NARROW done."""
PEAK_CYCLES = 6
"""Of them for the peak, beside those of the lanes; a part has none."""
LINES_BEGIN_CYCLES = 8
"""Of them: behind the command's end, for the next one's scale."""
WAY_CYCLES = (19, 22)
"""From a line to its turn at the staging memory, of NARROW and JOIN."""
BEATS_BEHIND = 2
"""Beats that have left the queue behind the one that is cut into blocks, or lines."""
BEATS_AHEAD = 3
"""Of a tile, behind which no other beat is on its way to the sums."""


@dataclass(frozen=True)
class TileOfPlanes:
    """The tile ``number`` of a STORE, maybe its last."""

    task: Task
    command: Store
    number: int
    last: bool


class ResultModel:
    """Serves tiles; the execute stage asks with ``admit`` for room for one."""

    def __init__(
        self,
        kernel: Kernel,
        sender: Sender,
        parameters: Parameters,
        queue: TaskQueue,
        tokens: Tokens,
        on_chip: OnChip,
    ) -> None:
        self._kernel, self._sender = kernel, sender
        self._parameters, self._queue, self._tokens = parameters, queue, tokens
        self._on_chip = on_chip
        self._beats = parameters.beats_per_tile
        self._arrivals: deque[float] = deque()
        self._inside = 0
        self._narrowed: deque[tuple[TileOfPlanes, float]] = deque()
        self._turning = False
        self._change = Change(kernel)
        self._at_work = self._passing = False
        """A command that takes tiles, and a tile with beats in front of the gradient memory."""
        self._passed = Change(kernel)

    def start(self) -> None:
        self._kernel.start(self._run())
        self._kernel.start(self._turn())

    def admit(self, last: float) -> Process:
        """Wait until a tile may end; the one before did at ``last``."""
        while True:
            if self._inside >= self._parameters.queues.result_tiles:
                yield self._change
            elif last and self._kernel.now < last + self._beats:
                yield last + self._beats
            else:
                break
        self._inside += 1
        self._arrivals.append(self._kernel.now + ARRAY_CYCLES)
        self._change.notify()

    def _run(self) -> Process:
        while True:
            yield from self._queue.get()
            if not self._queue.tasks:
                return
            task = self._queue.tasks[0]
            task.times.ready = self._kernel.now
            yield from self._tokens.take(Stage.RESULT, task.command)
            task.times.begun = self._kernel.now
            self._queue.pop()
            yield from self._carry_out(task)

    def _carry_out(self, task: Task) -> Process:
        command = task.command
        if not task.skip:
            self._at_work = True
            yield from self._tiles(task) if isinstance(command, Store) else self._lines(task)
            self._at_work = False
            self._passed.notify()
        if task.skip or not (isinstance(command, Store) and command.format is Format.PLANES):
            yield from self._wait_for_planes()
            task.times.worked = task.times.ended = self._kernel.now
            self._sender.end(command, task.times)

    def _lines(self, task: Task) -> Process:
        """NARROW and JOIN: a line in a cycle; what was earlier takes another."""
        command = task.command
        assert isinstance(command, Narrow | Join)
        written, each, way = self._parameters.block.channels, 1, WAY_CYCLES[0]
        yield self._kernel.now + LINES_BEGIN_CYCLES
        if isinstance(command, Join):
            written *= _parts(command)
            each += command.earlier is not Earlier.NONE
            way = WAY_CYCLES[1]
        lines = written * each
        ports = self._on_chip.staging_reads, self._on_chip.side_reads
        for port in ports:
            port.contended = isinstance(command, Join)
        for _ in range(command.images * command.tiles_y * command.tiles_x):
            arrival = yield from self._arrive(task)
            yield max(self._kernel.now, arrival + SUM_CYCLES)
            yield from self._wait_for_planes()
            begun = lines * max(0, self._beats - BEATS_AHEAD) // self._beats
            self._kernel.call(self._pass, self._kernel.now + begun)
            ahead = lines * (self._beats - BEATS_BEHIND) // self._beats
            self._leave(self._kernel.now + max(0, ahead) + LEAVE_CYCLES - 2)
            self._on_chip.staging.take(self._kernel.now + way + each - 1, written, each)
            if isinstance(command, Join):
                self._read(command, written, each)
            yield self._kernel.now + lines
        for port in ports:
            port.contended = False
        behind = LINES_CYCLES + self._parameters.array.rows - LINES_BEGIN_CYCLES
        if isinstance(command, Narrow):
            behind -= NARROWED_CYCLES
        elif command.part:
            behind -= PEAK_CYCLES + self._parameters.array.rows
        yield self._kernel.now + behind

    def _read(self, command: Join, written: int, each: int) -> None:
        """Lines of a tile, ``each`` steps for one of those that are written; the last of them with
        mask and x̂."""
        now, on_chip = self._kernel.now, self._on_chip
        if command.interleaved:
            on_chip.staging_reads.take(now, written * each)
        elif command.earlier is not Earlier.NONE:
            on_chip.staging_reads.take(now, written, each)
        if command.masked or command.totals:
            on_chip.side_reads.take(now + each - 1, written, each)

    def _tiles(self, task: Task) -> Process:
        command = task.command
        assert isinstance(command, Store)
        count = command.images * command.tiles_y * command.tiles_x
        for tile in range(count):
            arrival = yield from self._arrive(task)
            self._kernel.call(self._pass, self._kernel.now + self._beats)
            if command.format is Format.PLANES:
                yield max(self._kernel.now, arrival)
                yield from self._narrow(TileOfPlanes(task, command, tile, tile == count - 1))
                continue
            # the first beat behind the sums
            yield max(self._kernel.now, arrival + SUM_CYCLES)
            yield from self._wait_for_planes()
            if command.format in (Format.RAW32, Format.RAW48):
                yield from self._raw(command, tile)
            else:
                self._leave(self._kernel.now + self._beats - 1)
                yield self._kernel.now + self._beats

    def _arrive(self, task: Task) -> Generator[float | Change, None, float]:
        """Wait for a tile, whose first beat then is on its way; when it left the queue, or will."""
        while not self._arrivals:
            yield self._change
        arrival = self._arrivals[0]
        if arrival >= self._kernel.now:
            task.times.fed = arrival - ARRAY_CYCLES
        yield max(self._kernel.now, arrival)
        self._arrivals.popleft()
        self._passing = True
        return arrival

    def _pass(self) -> None:
        """No beat of the tile is in front of the gradient memory any more."""
        self._passing = False
        self._passed.notify()

    def read_beat(self) -> Process:
        """Wait for a turn of the vector unit at the gradient memory: none while beats wait for it,
        which stand still behind one that is cut into lines."""
        while self._passing or (
            self._at_work and self._arrivals and self._arrivals[0] <= self._kernel.now
        ):
            yield self._passed
        yield self._kernel.now + 1

    def _leave(self, time: float) -> None:
        def left() -> None:
            self._inside -= 1
            self._change.notify()

        self._kernel.call(left, time)

    def _wait_for_planes(self) -> Process:
        while self._narrowed or self._turning:
            yield self._change

    def _raw(self, command: Store, tile: int) -> Process:
        """Beat by beat into blocks; the tile has left the queue some beats before its end."""
        parameters = self._parameters
        width = 32 if command.format is Format.RAW32 else 48
        size = parameters.results_per_beat * width // 8
        address = command.address + parameters.word_bytes * tile * command.tile_stride
        for beat in range(self._beats):
            if beat == max(0, self._beats - BEATS_BEHIND):
                self._leave(self._kernel.now + LEAVE_CYCLES - 1)
            yield from self._sender.issue(command, address, size, late=1)
            address += size

    def _narrow(self, tile: TileOfPlanes) -> Process:
        """The beats' way to the corner turn; they stand still while it is taken."""
        yield self._kernel.now + self._beats - 1
        while len(self._narrowed) > (NARROW_CYCLES - 1) // self._beats:
            yield self._change
        self._narrowed.append((tile, self._kernel.now + NARROW_CYCLES))
        self._change.notify()
        self._leave(self._kernel.now + LEAVE_CYCLES)
        yield self._kernel.now + 1

    def _turn(self) -> Process:
        """Tile after tile into the corner turn, and plane after plane out of it."""
        parameters, word = self._parameters, self._parameters.word_bytes
        while True:
            while not self._narrowed:
                yield self._change
            tile, time = self._narrowed[0]
            yield max(self._kernel.now, time + 1)
            self._narrowed.popleft()
            self._turning = True
            self._change.notify()
            command = tile.command
            address = command.address + word * tile.number * command.tile_stride
            for digit in range(parameters.digits(command.bits)):
                place = address + word * digit * command.digit_stride
                yield from self._sender.issue(command, place, word)
            if tile.last:
                tile.task.times.worked = tile.task.times.ended = self._kernel.now
                self._sender.end(command, tile.task.times)
            self._turning = False
            self._change.notify()


def _parts(command: Join) -> int:
    """Lines of the tensor among which a line of a tile is spread: that of each of its rows."""
    if not command.interleaved:
        return 1
    return 4 if command.row_pixels is RowPixels.QUARTER else 2
