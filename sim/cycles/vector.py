"""The vector stage: its commands one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from fractrain.hw.contract.bursts import BURST_BYTES
from fractrain.hw.contract.commands import (
    Channel,
    Command,
    Quantize,
    Report,
    Shape,
    Spill,
    Stage,
    Update,
)
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand
from fractrain.hw.contract.records import RECORD_BYTES
from fractrain.sim.cycles.commands import Task, TaskQueue
from fractrain.sim.cycles.kernel import Change, Kernel, Process
from fractrain.sim.cycles.memories import Memories
from fractrain.sim.cycles.memory import granules
from fractrain.sim.cycles.reader import Request
from fractrain.sim.cycles.sender import Sender
from fractrain.sim.cycles.tokens import Tokens
from fractrain.sim.cycles.totals import Totals
from fractrain.sim.cycles.vector_work import Lined, blocks_of

CLIENT = 2
"""Of the reader."""
START_CYCLES = 12
"""From a task behind the gate to its first line."""
RECORDS_CYCLES = 3
"""Of a channel: its records are read before the first line of its group."""
LATENCY_CYCLES = 40
"""From a line's entry to its last result on the chip."""
CHANNEL_CYCLES = (66, 61)
"""Of a channel, forward and backward."""
QUANTIZED_PER_CYCLE, UPDATED_PER_CYCLE = 4, 1
"""Weights that QUANTIZE and UPDATE take."""
AHEAD = 4
"""Runs of weights under way."""
WEIGHT_BYTES = 4
PEAK_BYTES = 8
GATE_INTERVAL = 3


class VectorModel:
    """Takes tasks through the gate and carries them out.

    The words of a block leave while the lines of the next one are taken, so a block is taken when
    those of the one before it have been issued.
    """

    def __init__(
        self,
        kernel: Kernel,
        memories: Memories,
        sender: Sender,
        parameters: Parameters,
        queue: TaskQueue,
        tokens: Tokens,
        totals: Totals,
    ) -> None:
        self._kernel, self._memories, self._sender = kernel, memories, sender
        self._parameters, self._queue = parameters, queue
        self._tokens, self._totals = tokens, totals
        self._shapes: dict[int, Shape] = {}
        self._issuing = False
        self._issued = Change(kernel)
        self._work: Mapping[type, Callable[[Task], Process]] = {
            Shape: self._shape,
            Channel: self._channel,
            Spill: self._spill,
            Report: self._report,
            Quantize: self._quantize,
            Update: self._update,
        }

    def start(self) -> None:
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
            yield self._kernel.now + GATE_INTERVAL
            if not task.skip:
                yield from self._carry_out(task)
            task.times.worked = task.times.ended = self._kernel.now
            self._sender.end(task.command, task.times)

    def _carry_out(self, task: Task) -> Process:
        yield self._kernel.now + START_CYCLES
        if isinstance(task.command, Lined):
            yield from self._lines(task)
        else:
            yield from self._work[type(task.command)](task)

    def _count(self, task: Task, counter: str, cycles: float) -> None:
        self._totals.add(task.command.tag, counter, cycles)
        task.times.wait(counter, cycles)

    # -- lines --------------------------------------------------------------------------------

    def _lines(self, task: Task) -> Process:
        command = task.command
        assert isinstance(command, Lined)
        shape = self._shapes.get(command.shape)
        if shape is None:
            raise ParameterError("shape", command.shape, "one that a SHAPE has written")
        yield self._kernel.now + RECORDS_CYCLES * self._parameters.block.channels
        for block in blocks_of(task, shape, self._parameters):
            self._count(task, "VECTOR_BUSY", block.cycles)
            yield self._kernel.now + block.cycles
            yield from self._written(task)
            if block.writes:
                self._issuing = True
                task.times.bytes_moved += sum(size for _, size in block.writes)
                self._kernel.start(self._issue(command, block.writes))
        yield from self._written(task)
        yield self._kernel.now + LATENCY_CYCLES

    def _written(self, task: Task) -> Process:
        since = self._kernel.now
        while self._issuing:
            yield self._issued
        self._count(task, "VECTOR_STALL_WRITE", self._kernel.now - since)

    def _issue(self, command: Command, writes: list[tuple[int, int]]) -> Process:
        yield from self._sender.issue_all(command, writes)
        self._issuing = False
        self._issued.notify()

    # -- others -------------------------------------------------------------------------------

    def _shape(self, task: Task) -> Process:
        assert isinstance(task.command, Shape)
        self._shapes[task.command.entry] = task.command
        yield self._kernel.now + 1

    def _channel(self, task: Task) -> Process:
        command = task.command
        assert isinstance(command, Channel)
        channels = command.channel_groups * self._parameters.block.channels
        cycles = channels * CHANNEL_CYCLES[command.backward]
        self._count(task, "VECTOR_CHANNEL", cycles)
        yield self._kernel.now + cycles
        size = channels * (2 * PEAK_BYTES + (0 if command.backward else RECORD_BYTES))
        task.times.bytes_moved += size
        yield from self._sender.issue(command, command.address, size)

    def _spill(self, task: Task) -> Process:
        command, line = task.command, self._parameters.line_bytes
        assert isinstance(command, Spill)
        task.times.bytes_moved += line * command.runs * command.lines
        for run in range(command.runs):
            address = command.address + line * run * command.run_stride
            yield from self._sender.issue(command, address, line * command.lines)

    def _report(self, task: Task) -> Process:
        command = task.command
        assert isinstance(command, Report)
        size = command.blocks * self._parameters.block_bytes
        task.times.bytes_moved += size
        yield self._kernel.now + size // PEAK_BYTES
        yield from self._sender.issue(command, command.address, size)

    def _quantize(self, task: Task) -> Process:
        command, p = task.command, self._parameters
        assert isinstance(command, Quantize)
        size = WEIGHT_BYTES * p.block.channels * p.array.rows
        bits = task.digits if command.operand is Operand.WEIGHT else task.partner_digits
        reads = [[(command.source + size * block, size)] for block in range(command.blocks)]
        for block, came in enumerate(self._read_ahead(task, reads)):
            yield from came
            yield self._kernel.now + size / WEIGHT_BYTES / QUANTIZED_PER_CYCLE
            task.times.bytes_moved += bits * p.word_bytes
            for plane in range(bits):
                place = command.destination + p.word_bytes * (plane * command.plane_stride + block)
                yield from self._sender.issue(command, place, p.word_bytes)

    def _update(self, task: Task) -> Process:
        """Weights and momenta in turn, run by run, both ways."""
        command = task.command
        assert isinstance(command, Update)
        halves = (
            (command.a_enable, command.a_address),
            (command.b_enable, command.b_address),
        )
        size = WEIGHT_BYTES * self._parameters.block.channels**2
        runs = [
            [(place, BURST_BYTES), (place + command.velocity, BURST_BYTES)]
            for enabled, address in halves
            if enabled
            for place in range(address, address + size, BURST_BYTES)
        ]
        for both, came in zip(runs, self._read_ahead(task, runs), strict=True):
            yield from came
            yield self._kernel.now + BURST_BYTES / WEIGHT_BYTES / UPDATED_PER_CYCLE
            task.times.bytes_moved += sum(size for _, size in both)
            for place, bytes_ in both:
                yield from self._sender.issue(command, place, bytes_)

    def _read_ahead(self, task: Task, reads: list[list[tuple[int, int]]]) -> Iterator[Process]:
        """For each of ``reads``, what waits until it is here; `AHEAD` of them are under way."""
        under_way = deque(self._read(task, each) for each in reads[:AHEAD])
        for number in range(len(reads)):
            yield self._arrival(task, under_way.popleft())
            if number + AHEAD < len(reads):
                under_way.append(self._read(task, reads[number + AHEAD]))

    def _read(self, task: Task, runs: list[tuple[int, int]]) -> Arrival:
        arrival = Arrival(self._kernel, sum(size for _, size in runs))
        self._count(task, "STASH_READ", arrival.left)
        task.times.bytes_moved += arrival.left
        for address, size in runs:
            pieces = granules(address, size)
            request = Request(CLIENT, pieces, 1, arrival.deliver, self._kernel.now)
            self._memories.reader(address).request(request)
        return arrival

    def _arrival(self, task: Task, arrival: Arrival) -> Process:
        since = self._kernel.now
        while arrival.left:
            yield arrival.came
        self._count(task, "VECTOR_STALL_READ", self._kernel.now - since)


class Arrival:
    """Bytes that are ``left`` of a read; ``came`` is notified when there are none."""

    def __init__(self, kernel: Kernel, size: int) -> None:
        self._kernel, self.left, self.came = kernel, size, Change(kernel)

    def deliver(self, taken: int, time: float) -> None:
        self._kernel.call(partial(self._take, taken), time)

    def _take(self, taken: int) -> None:
        self.left -= taken
        if not self.left:
            self.came.notify()
