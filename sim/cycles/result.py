"""The result stage: tiles in the order of the STOREs, out to the port or to memory."""

from __future__ import annotations

from collections import deque

from hw.contract.commands import Format, Stage, Store
from hw.contract.parameters import Parameters
from sim.cycles.commands import Task, TaskQueue
from sim.cycles.kernel import Change, Kernel, Process
from sim.cycles.tokens import Tokens
from sim.cycles.totals import Totals
from sim.cycles.writer import Writer

ARRAY_CYCLES = 20
"""From a tile's last pass to its first beat at the result stage's exit."""
END_CYCLES = 4


class ResultModel:
    """Serves tiles; ``admit`` is how the execute stage asks for room for one."""

    def __init__(
        self,
        kernel: Kernel,
        writer: Writer,
        parameters: Parameters,
        queue: TaskQueue,
        tokens: Tokens,
        totals: Totals,
    ) -> None:
        self._kernel, self._writer, self._parameters = kernel, writer, parameters
        self._queue, self._tokens, self._totals = queue, tokens, totals
        self._arrivals: deque[float] = deque()
        self._inside = 0
        self._turning = False
        self._change = Change(kernel)

    def start(self) -> None:
        self._kernel.start(self._run())

    def admit(self, last: float) -> Process:
        """Wait until a tile may end, ``last`` being when the one before did."""
        beats = self._parameters.beats_per_tile
        while True:
            if self._inside >= self._parameters.queues.result_tiles:
                yield self._change
            elif last and self._kernel.now < last + beats:
                yield last + beats
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
            yield from self._tokens.take(Stage.RESULT, task.command)
            self._queue.pop()
            assert isinstance(task.command, Store)
            if not task.skip:
                yield from self._tiles(task, task.command)
            if task.command.signal:
                yield from self._writer.wait_idle()
            self._tokens.give(Stage.RESULT, task.command, self._kernel.now + END_CYCLES)

    def _tiles(self, task: Task, command: Store) -> Process:
        parameters = self._parameters
        count = command.images * command.tiles_y * command.tiles_x
        beats = parameters.beats_per_tile
        for tile in range(count):
            while not self._arrivals:
                yield self._change
            yield max(self._kernel.now, self._arrivals.popleft())
            started = self._kernel.now
            if command.format in (Format.RAW32, Format.RAW48):
                yield from self._raw(command, tile)
            yield max(self._kernel.now, started + beats)
            # a tile's last beat and what is not planes wait for the planes of the tile before
            while self._turning:
                yield self._change
            self._leave()
            if command.format is Format.PLANES:
                self._turning = True
                self._kernel.start(self._planes(command, tile))
        while self._turning and command.signal:
            yield self._change

    def _leave(self) -> None:
        self._inside -= 1
        self._change.notify()

    def _raw(self, command: Store, tile: int) -> Process:
        parameters = self._parameters
        width = 32 if command.format is Format.RAW32 else 48
        results = parameters.array.rows * parameters.array.columns
        address = command.address + parameters.word_bytes * tile * command.tile_stride
        yield from self._write(command, address, results * width // 8)

    def _planes(self, command: Store, tile: int) -> Process:
        parameters, word = self._parameters, self._parameters.word_bytes
        for digit in range(parameters.digits(command.bits)):
            offset = tile * command.tile_stride + digit * command.digit_stride
            yield from self._write(command, command.address + word * offset, word)
        self._turning = False
        self._change.notify()

    def _write(self, command: Store, address: int, size: int) -> Process:
        self._totals.add_bytes(command.tag, size, written=True)
        yield from self._writer.write(address, size)
