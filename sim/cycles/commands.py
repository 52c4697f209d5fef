"""From the command stream to the queues of the stages."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fractrain.hw.contract.bursts import BURST_BYTES
from fractrain.hw.contract.commands import (
    COMMAND_BYTES,
    ENGINE_OPCODES,
    ENGINE_STAGES,
    STAGES,
    Command,
    Stage,
    opcode_of,
)
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.sim.cycles.fluid import FluidReader
from fractrain.sim.cycles.kernel import Change, Kernel, Process
from fractrain.sim.cycles.memory import granules
from fractrain.sim.cycles.reader import Reader, Request
from fractrain.sim.cycles.times import Times

START_CYCLES = 14
"""From the start to the first request for commands."""
DECODE_CYCLES = 8
"""Of a command, from the fetcher to its stage's gate."""
DECODE_INTERVAL = 4
SLOTS_CYCLES = 3
"""More for a command that looks up further slots."""
OFFER_INTERVAL = 2
"""From a command that its queue has taken to the next one's offer, which has been decoded."""
SLOTS = "kept_slot", "mask_slot", "form_slot"
PREFETCHED_COMMANDS = 64
QUEUE_SLACK = {
    Stage.FETCH: 2 + 6,  # the loops over digits and runs
    Stage.EXECUTE: 2,
    Stage.RESULT: 2 + 2,  # the STORE's decoder
}
"""Commands beside those in the queue that are decoded but not begun: one in the decoder, one in the
gate, and those that the stage takes ahead."""
UNIT_QUEUE_SLACK = 1
"""The same of each stage on a machine with a vector unit, whose commands often wait for tokens: a
stage takes none ahead of one that does."""


@dataclass(frozen=True)
class Task:
    """A command with its precision looked up: ``digits`` of operand and partner; of a command for a
    vector unit bits of x̂, and of the activations that it makes."""

    command: Command
    digits: int
    partner_digits: int
    kept: KeptBits | None = None
    form_bits: int = 0
    times: Times = field(default_factory=Times)

    @property
    def absent(self) -> bool:
        """One of its operands has no bits."""
        return not (self.digits and self.partner_digits)

    @property
    def skip(self) -> bool:
        """Only its tokens count."""
        if not opcode_of(self.command).skips:
            return False
        return self.absent is not getattr(self.command, "skipped", False)


class TaskQueue:
    """Tasks of one stage, at most ``depth``."""

    def __init__(self, kernel: Kernel, depth: int) -> None:
        self.tasks: deque[Task] = deque()
        self.depth = depth
        self.change = Change(kernel)
        self.closed = False

    def get(self) -> Process:
        """Wait until there is a task (then it is ``tasks[0]``), or none will come."""
        while not self.tasks and not self.closed:
            yield self.change

    def pop(self) -> Task:
        task = self.tasks.popleft()
        self.change.notify()
        return task

    def put(self, task: Task) -> Process:
        while len(self.tasks) >= self.depth:
            task.times.full = True
            yield self.change
        task.times.queued = self.change.now
        self.tasks.append(task)
        self.change.notify()


class Dispatcher:
    """Fetches and decodes commands in order; a full queue blocks all commands behind it.

    Raises `ParameterError` for a command of a vector unit where there is none.
    """

    def __init__(
        self,
        kernel: Kernel,
        reader: Reader | FluidReader,
        parameters: Parameters,
        commands: Sequence[Command],
        precisions: Mapping[int, Precision],
        address: int,
        kept: Mapping[int, KeptBits],
    ) -> None:
        vector = parameters.vector is not None
        for command in commands:
            if not vector and opcode_of(command) not in ENGINE_OPCODES:
                allowed = "one of a machine without a vector unit, as this one is"
                raise ParameterError("command", opcode_of(command).name, allowed)
        self._kept = kept
        self._kernel, self._reader, self._parameters = kernel, reader, parameters
        self._commands, self._precisions, self._address = commands, precisions, address
        self.queues = {
            stage: TaskQueue(
                kernel,
                parameters.queues.commands + (UNIT_QUEUE_SLACK if vector else QUEUE_SLACK[stage]),
            )
            for stage in (STAGES if vector else ENGINE_STAGES)
        }
        self.end_time = 0.0
        self.times: list[Times] = []
        """Of each command."""
        word = parameters.word_bytes
        self.program_bytes = -(-len(commands) * COMMAND_BYTES // word) * word
        self._arrived, self._used = 0, 0
        self._change = Change(kernel)
        self._room = max(
            max(PREFETCHED_COMMANDS, 2 * parameters.queues.commands) * COMMAND_BYTES,
            2 * max(BURST_BYTES, word),
        )

    def start(self) -> None:
        self._kernel.start(self._fetch(), START_CYCLES)
        self._kernel.start(self._decode())

    def _fetch(self) -> Process:
        requested = 0
        for size in granules(self._address, self.program_bytes):
            while requested + size - self._used > self._room:
                yield self._change
            requested += size
            self._reader.request(Request(0, [size], 1, self._deliver, self._kernel.now))

    def _deliver(self, size: int, time: float) -> None:
        self._arrived += size
        self._change.notify()

    def _decode(self) -> Process:
        offer = 0.0
        for number, command in enumerate(self._commands):
            while self._arrived < (number + 1) * COMMAND_BYTES and self._arrived < (
                self.program_bytes
            ):
                yield self._change
            self._used = (number + 1) * COMMAND_BYTES
            self._change.notify()
            stage = opcode_of(command).stage
            task = self._task(command)
            self.times.append(task.times)
            looks = any(hasattr(command, each) for each in SLOTS)
            offer = max(self._kernel.now, offer + looks * SLOTS_CYCLES)
            if stage is not None:  # END belongs to none
                yield offer + DECODE_CYCLES if number == 0 else offer
                offer = self._kernel.now
                yield from self.queues[stage].put(task)
            offer += DECODE_INTERVAL
            yield max(offer, self._kernel.now + OFFER_INTERVAL)
        self.end_time = self._kernel.now
        for queue in self.queues.values():
            queue.closed = True
            queue.change.notify()

    def _task(self, command: Command) -> Task:
        precision = self._precisions.get(command.slot, Precision(0, 0, 0))
        digits, partner_digits = (
            self._parameters.digits(precision.bits(operand))
            for operand in (command.operand, command.partner)
        )
        form = self._precisions.get(getattr(command, "form_slot", command.slot))
        return Task(
            command,
            digits,
            partner_digits,
            self._kept.get(getattr(command, "kept_slot", command.slot)),
            0 if form is None else form.activation,
        )
