"""The whole machine: decoder, stages and tokens, one command of one stage after the other."""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import (
    COMMAND_BYTES,
    SIGNAL,
    STAGES,
    TOKEN_LIMIT,
    WAIT,
    Convolve,
    End,
    Fault,
    Fill,
    Join,
    Load,
    Move,
    Narrow,
    Pattern,
    Recall,
    Set,
    Stage,
    Store,
    Tag,
)
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.numerics import MIN_NORMALIZED_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.sim.functional.decoding import Task, decode_task
from fractrain.sim.functional.execute import ExecuteStage
from fractrain.sim.functional.fault import FaultError, StageFault, require
from fractrain.sim.functional.results import ResultStage
from fractrain.sim.functional.staging import Staging
from fractrain.sim.functional.vector_loads import load_vector
from fractrain.sim.functional.vector_stage import VectorStage
from fractrain.sim.functional.words import BrokenBytes, ChipMemories, ExternalMemory, load


class Order(enum.Enum):
    """Which stage goes on when several could.

    Tokens alone must keep a program right: every order gives the same results.
    """

    FETCH_FIRST = (Stage.FETCH, Stage.EXECUTE, Stage.RESULT, Stage.VECTOR)
    EXECUTE_FIRST = (Stage.EXECUTE, Stage.RESULT, Stage.VECTOR, Stage.FETCH)
    RESULT_FIRST = (Stage.RESULT, Stage.VECTOR, Stage.EXECUTE, Stage.FETCH)
    VECTOR_FIRST = (Stage.VECTOR, Stage.FETCH, Stage.RESULT, Stage.EXECUTE)


Host = Callable[[], int]
"""What the host does when it is given a token: it may read and write memory, and says how many
tokens it gives to the fetch stage."""


@dataclass(frozen=True)
class RunResult:
    """What a program did.

    ``beats[n, results_per_beat]`` left at the result port. ``passes`` is the number of array
    passes (cycles in which the array is busy), ``bytes_read`` and ``bytes_written`` the traffic of
    the memory ports, per `Tag`; the command stream counts as OTHER, as in the machine. Of a vector
    unit: ``lines`` that it made, bytes of the stash.
    """

    beats: NDArray[np.int64]
    passes: dict[Tag, int]
    bytes_read: dict[Tag, int]
    bytes_written: dict[Tag, int]
    lines: dict[Tag, int] = field(default_factory=dict)
    stash_read: dict[Tag, int] = field(default_factory=dict)
    stash_written: dict[Tag, int] = field(default_factory=dict)


class FunctionalMachine:
    """The engine of ``parameters`` on ``memory``, which begins at address ``base``.

    ``table`` is the precision table; all of ``memory`` may be accessed. On-chip memories and the
    pattern table keep their contents between runs; they start with random bits of ``seed``.
    ``unwritten``: the value of window pixels that no read writes. With a vector unit ``kept`` is
    the rest of the table, the bits of x̂ of each slot, and ``rounding`` the seed and the step of its
    random bits.

    Raises `FaultError` (a `MachineError`) where the machine stops with a fault, and `MachineError`
    where it would wait for ever.
    """

    def __init__(
        self,
        parameters: Parameters,
        memory: NDArray[np.uint8],
        *,
        base: int = 0,
        seed: int = 0,
        unwritten: int = 1,
    ) -> None:
        self.parameters = parameters
        slots = parameters.precision.slots
        self.table = [Precision(0, 0, 0)] * slots
        self.kept = [KeptBits(MIN_NORMALIZED_BITS, MIN_NORMALIZED_BITS)] * slots
        self.rounding = (0, 0)
        self._external = ExternalMemory(memory, base, parameters)
        self._chip = ChipMemories(parameters, np.random.default_rng(seed))
        self._execute = ExecuteStage(parameters, self._chip, unwritten)
        self._result = ResultStage(parameters, self._chip, self._external)
        if parameters.vector is not None:
            self._staging = Staging(parameters, self._chip.unit)
            self._vector = VectorStage(parameters, self._chip, self._external)

    def run(
        self,
        address: int,
        commands: int,
        order: Order = Order.FETCH_FIRST,
        host: Host | None = None,
    ) -> RunResult:
        """Carry out ``commands`` command words from ``address`` on, up to END; ``host`` is called
        for each token that it is given."""
        running = self.start(address, commands, order)
        while running.until_token(asked=host is not None):
            assert host is not None
            running.give(host())
        return running.result()

    def start(self, address: int, commands: int, order: Order = Order.FETCH_FIRST) -> FunctionalRun:
        """A program that goes on when it is told to; one before it that has not ended never
        does."""
        words = self._fetch_program(address, commands)
        self._result.port = []
        return FunctionalRun(self, words, order)

    def inject(self, broken: tuple[BrokenBytes, ...]) -> None:
        """From now on memory answers with errors there, and nowhere else."""
        self._external.broken = broken

    def reset(self) -> None:
        """As RESET: no shape is written; what is in the other memories stays."""
        if self.parameters.vector is not None:
            self._chip.unit.forget_shapes()

    def _program_bytes(self, commands: int) -> int:
        """Of the words that hold ``commands`` commands."""
        word = self.parameters.word_bytes
        return -(-commands * COMMAND_BYTES // word) * word

    def _fetch_program(self, address: int, commands: int) -> list[int]:
        try:
            require(commands > 0, Fault.PROGRAM, "no commands")
            data = self._external.read(address, self._program_bytes(commands)).tobytes()
        except StageFault as fault:
            raise FaultError(fault.fault, 0, fault.detail) from None
        return [
            int.from_bytes(data[COMMAND_BYTES * i :][:COMMAND_BYTES], "little")
            for i in range(commands)
        ]


class FunctionalRun:
    """One program on its way through the machine."""

    def __init__(self, machine: FunctionalMachine, words: list[int], order: Order) -> None:
        self._machine, self._words, self._order = machine, words, order
        self._next = 0
        self._ended = False
        self._queues: dict[Stage, deque[Task]] = {stage: deque() for stage in STAGES}
        self._begun: dict[Stage, bool] = dict.fromkeys(STAGES, False)
        self._tokens: Counter[tuple[Stage, Stage]] = Counter()
        self._leaving: deque[NDArray[np.int64]] = deque()
        self._tiles: deque[NDArray[np.int64]] = deque()
        self._stored = 0
        self.passes: Counter[Tag] = Counter()
        self.bytes_read: Counter[Tag] = Counter()
        self.bytes_written: Counter[Tag] = Counter()
        self.lines: Counter[Tag] = Counter()
        self.stash_read: Counter[Tag] = Counter()
        self.stash_written: Counter[Tag] = Counter()

    def until_token(self, *, asked: bool = True) -> bool:
        """Go on until the host is given a token, which it takes (True), or to the end (False).
        ``asked``: otherwise tokens to the host are left lying."""
        given = Stage.VECTOR, Stage.HOST
        while True:
            moved = self._decode()
            if asked and self._tokens[given]:
                self._tokens[given] -= 1
                return True
            if self._ended and not any(self._queues.values()):
                if self._tiles:
                    raise MachineError(f"{len(self._tiles)} tiles that no STORE takes")
                return False
            # `any` stops at the first stage that can go on: the others see its effects first
            moved = any(self._advance(stage) for stage in self._order.value) or moved
            if not moved:
                raise MachineError(self._deadlock())

    def give(self, tokens: int) -> None:
        """Tokens of the host to the fetch stage."""
        self._tokens[Stage.HOST, Stage.FETCH] += tokens

    def result(self) -> RunResult:
        """What it did, at its end."""
        machine = self._machine
        bytes_read = self.bytes_read.copy()
        bytes_read[Tag.OTHER] += machine._program_bytes(len(self._words))
        port = machine._result.port
        beats = np.array(port) if port else np.zeros((0, machine.parameters.results_per_beat), int)
        unit = (+self.lines, +self.stash_read, +self.stash_written)
        counted = self.passes, bytes_read, self.bytes_written, *unit
        return RunResult(beats, *map(dict, counted))

    def _decode(self) -> bool:
        """Hand commands to the stages, in order, until a queue is full."""
        machine, before = self._machine, self._next
        while not self._ended:
            index = self._next
            if index == len(self._words):
                raise FaultError(Fault.PROGRAM, index)
            with _numbered(index):
                tables = machine.table, machine.kept
                task = decode_task(self._words[index], index, machine.parameters, *tables)
            if isinstance(task.command, End):
                self._ended = True
            elif len(self._queues[task.stage]) > machine.parameters.queues.commands:
                break
            else:
                self._queues[task.stage].append(task)
            self._next += 1
        return self._next > before

    def _advance(self, stage: Stage) -> bool:
        """Advance the first command of ``stage``; False if it can only wait."""
        queue = self._queues[stage]
        if not queue:
            return False
        task, moved = queue[0], False
        if not self._begun[stage]:
            if not self._begin(stage, task):
                return False
            moved = True
        with _numbered(task.index):
            ended, worked = self._work(stage, task)
        if ended and self._give_tokens(stage, task):
            queue.popleft()
            self._begun[stage] = False
            self._stored = 0 if stage is Stage.RESULT else self._stored
            return True
        return moved or worked

    def _begin(self, stage: Stage, task: Task) -> bool:
        """Take the tokens that ``task`` waits for and do what is done at once."""
        sources = [s for bit, s in enumerate(WAIT[stage]) if task.command.wait >> bit & 1]
        if any(not self._tokens[source, stage] for source in sources):
            return False
        for source in sources:
            self._tokens[source, stage] -= 1
        self._begun[stage] = True
        if task.skip:
            return True
        machine, command = self._machine, task.command
        external = machine._external
        read, written = external.bytes_read, external.bytes_written
        with _numbered(task.index):
            if isinstance(command, Load):
                load(command, task.bits, machine._chip, external)
                self.bytes_read[command.tag] += external.bytes_read - read
            elif isinstance(command, Move | Recall | Fill | Set):
                load_vector(task, command, machine._chip, external)
                self.stash_read[command.tag] += external.bytes_read - read
            elif isinstance(command, Pattern):
                machine._execute.pattern(command)
            elif isinstance(command, Convolve):
                before = machine._execute.passes
                self._leaving.extend(machine._execute.convolve(task, command))
                self.passes[command.tag] += machine._execute.passes - before
            elif stage is Stage.VECTOR:
                self._run_vector(task)
                self.stash_read[command.tag] += external.bytes_read - read
                self.stash_written[command.tag] += external.bytes_written - written
        return True

    def _run_vector(self, task: Task) -> None:
        """A command of the vector stage, at once."""
        vector = self._machine._vector
        vector.rounding, before = self._machine.rounding, vector.lines
        vector.run(task, task.command)
        self.lines[task.command.tag] += vector.lines - before

    def _work(self, stage: Stage, task: Task) -> tuple[bool, bool]:
        """Advance a command that needs room or tiles; (it has ended, something moved)."""
        if task.skip or stage in (Stage.FETCH, Stage.VECTOR):
            return True, False
        room = self._machine.parameters.queues.result_tiles
        moved = False
        if stage is Stage.EXECUTE:
            while self._leaving and len(self._tiles) < room:
                self._tiles.append(self._leaving.popleft())
                moved = True
            return not self._leaving, moved
        command, external = task.command, self._machine._external
        assert isinstance(command, Store | Narrow | Join)
        wanted = command.images * command.tiles_y * command.tiles_x
        before = external.bytes_written
        while self._tiles and self._stored < wanted:
            tile = self._tiles.popleft()
            if isinstance(command, Store):
                self._machine._result.store(command, self._stored, tile)
            else:
                self._machine._staging.store(task, command, self._stored, tile)
            self._stored += 1
            moved = True
        self.bytes_written[command.tag] += external.bytes_written - before
        return self._stored == wanted, moved

    def _give_tokens(self, stage: Stage, task: Task) -> bool:
        targets = [s for bit, s in enumerate(SIGNAL[stage]) if task.command.signal >> bit & 1]
        if any(self._tokens[stage, target] >= TOKEN_LIMIT for target in targets):
            return False
        for target in targets:
            self._tokens[stage, target] += 1
        return True

    def _deadlock(self) -> str:
        waiting = ", ".join(
            f"{stage.name} at command {queue[0].index}"
            for stage, queue in self._queues.items()
            if queue
        )
        return f"the machine waits for ever: {waiting}; decoded up to command {self._next}"


class _numbered:
    """Turns a stage's fault into one of the machine, of command ``index``."""

    def __init__(self, index: int) -> None:
        self._index = index

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, StageFault):
            raise FaultError(error.fault, self._index, error.detail) from None
