"""Commands of the fetch stage beside a vector unit, carried out by the functional machine."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import (
    Fault,
    Fill,
    Load,
    Memory,
    Move,
    Recall,
    Recalled,
    Set,
    Tag,
    encode,
)
from fractrain.hw.contract.normalized import Format
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.fetch.vector_stage import SIGNALS
from fractrain.hw.flow.tasks import stage_task
from fractrain.sim.functional.decoding import Task
from fractrain.sim.functional.fault import StageFault
from fractrain.sim.functional.vector_decoding import LookedUp
from fractrain.sim.functional.vector_loads import load_vector
from fractrain.sim.functional.words import ChipMemories, ExternalMemory, load
from tests.hw.fetch.load_reference import random_load

BASE = 0x10000
MEMORY_WORDS = 2048

Loading = Load | Move | Recall | Fill | Set


def encode_task(task: Task, parameters: Parameters) -> int:
    value = {
        "index": task.index,
        "command": encode(task.command),
        "digits": task.bits,
        "tail": 1,
        "partner_digits": task.partner_bits,
        "partner_tail": 1,
        "skip": task.skip,
        "kept_bits": task.kept.bits if task.kept is not None else 0,
        "form_bits": 0,
        "masked": 0,
    }
    return stage_task(parameters).const(value).as_value().value


@dataclass(frozen=True)
class State:
    """What the memories hold; numbers of the side memory at the top of their word."""

    planes: NDArray
    columns: NDArray
    staging: NDArray
    side: NDArray
    masks: NDArray
    records: NDArray

    def differences(self, other: State) -> list[str]:
        return [
            name
            for name, mine in self.__dict__.items()
            if not np.array_equal(mine, getattr(other, name))
        ]


class Reference:
    """The functional machine's fetch stage, and what it should have been seen doing."""

    def __init__(self, parameters: Parameters, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.parameters = parameters
        size = MEMORY_WORDS * parameters.word_bytes
        data = rng.integers(256, size=size, dtype=np.uint8)
        self.external = ExternalMemory(data, BASE, parameters)
        self.chip = ChipMemories(parameters, rng)
        self.side = self.chip.unit.side.copy()
        self.load_words: Counter[Tag] = Counter()
        self.stash_words: Counter[Tag] = Counter()

    @property
    def state(self) -> State:
        chip, unit = self.chip, self.chip.unit
        return State(
            chip.planes.copy(),
            chip.columns.copy(),
            unit.staging.copy(),
            self.side.copy(),
            unit.masks.copy(),
            unit.records.copy(),
        )

    def run(self, task: Task) -> Fault:
        """Carry ``task`` out; a fault leaves the memories as they were."""
        before = self.external.bytes_read
        kept, side = self.state, self.chip.unit
        try:
            self._carry_out(task)
        except StageFault as fault:
            self.chip.planes[:], self.chip.columns[:] = kept.planes, kept.columns
            side.staging[:], side.masks[:], side.records[:] = (
                kept.staging,
                kept.masks,
                kept.records,
            )
            return fault.fault
        words = (self.external.bytes_read - before) // self.parameters.word_bytes
        counted = self.load_words if isinstance(task.command, Load) else self.stash_words
        counted[task.command.tag] += words
        return Fault.NONE

    def _carry_out(self, task: Task) -> None:
        command = task.command
        if task.skip:
            return
        if isinstance(command, Load):
            load(command, task.bits, self.chip, self.external)
            return
        assert isinstance(command, Move | Recall | Fill | Set)
        load_vector(task, command, self.chip, self.external)
        if isinstance(command, Recall):
            count = command.channel_groups * command.blocks * self.parameters.block.channels
            lines = slice(command.destination, command.destination + count)
            width = self.chip.unit.side_bits
            shift = width - (task.kept.bits if task.kept is not None else command.bits)
            self.side[lines] = self.chip.unit.side[lines] << shift & ((1 << width) - 1)


# -- random tasks --------------------------------------------------------------------------------


def random_task(random: Random, parameters: Parameters, index: int) -> Task:
    """Any command of the stage that stays within memory and memories."""
    make = random.choice([_load, _move, _set, _fill, _recall])
    return make(random, parameters, index)


def _header(random: Random) -> dict[str, int]:
    return {"tag": Tag(random.randrange(4)), "signal": random.randrange(1 << SIGNALS)}


def _bits(random: Random) -> int:
    return random.choice([0, 1, 2, random.randint(3, 8)])


def _address(random: Random, parameters: Parameters, words: int) -> int:
    place = random.choice([0, MEMORY_WORDS - words, random.randint(0, MEMORY_WORDS - words)])
    return BASE + place * parameters.word_bytes


def _load(random: Random, parameters: Parameters, index: int) -> Task:
    load = random_load(random, parameters, random.choice(list(Memory)))
    load = replace(load, digit_stride=random.randrange(40), run_stride=random.randrange(20))
    load = replace(load, address=_address(random, parameters, 8 * 40 + 5 * 20 + 8))
    load = replace(load, signal=random.randrange(1 << SIGNALS))
    return Task(index, load, _bits(random), 3)


def _move(random: Random, parameters: Parameters, index: int) -> Task:
    columns = random_load(random, parameters, Memory.COLUMNS)
    runs, words = columns.runs, random.randint(1, parameters.column_word_parts)
    depth = parameters.buffers.plane_words
    digit_stride = random.randrange(depth // 16)
    run_stride = random.randrange((depth - 16 - 8 * digit_stride) // runs)
    most = 7 * digit_stride + (runs - 1) * run_stride + words - 1
    command = Move(
        **_header(random),
        address=random.choice([0, random.randrange(depth - most), depth - most - 1]),
        digit_stride=digit_stride,
        run_stride=run_stride,
        runs=runs,
        words=words,
        destination=columns.destination,
        destination_digit_stride=columns.destination_digit_stride,
        destination_run_stride=columns.destination_run_stride,
        groups=columns.groups,
        transposed=columns.transposed,
    )
    return Task(index, command, _bits(random), 3)


def _set(random: Random, parameters: Parameters, index: int) -> Task:
    assert parameters.vector is not None
    each = parameters.word_bytes // 16
    words = random.choice([1, 2, 5, 32, 33, 65])
    words = min(words, parameters.vector.parameter_words // each)
    last = parameters.vector.parameter_words - each * words
    destination = random.choice([0, random.randint(0, last), last])
    address = _address(random, parameters, words)
    command = Set(**_header(random), address=address, words=words, destination=destination)
    return Task(index, command, _bits(random), _bits(random))


def _fill(random: Random, parameters: Parameters, index: int) -> Task:
    assert parameters.vector is not None
    size = parameters.vector.staging_words
    lines, runs = random.choice([(1, 1), (3, 4), (32, 2), (33, 1), (64, 1), (90, 1), (7, 12)])
    stride = random.randint(0, (size - lines) // runs)
    last = size - (stride * (runs - 1) + lines)
    run_stride = random.randrange(40)
    words = parameters.line_bytes // parameters.word_bytes * (run_stride * (runs - 1) + lines)
    command = Fill(
        **_header(random),
        address=_address(random, parameters, words),
        runs=runs,
        lines=lines,
        run_stride=run_stride,
        destination=random.choice([0, random.randint(0, last), last]),
        destination_run_stride=stride,
    )
    return Task(index, command, _bits(random), _bits(random))


def _recall(random: Random, parameters: Parameters, index: int) -> Task:
    assert parameters.vector is not None
    kind = random.choice(list(Recalled))
    most = parameters.vector.side_bits
    kept = random.randint(4, min(most, 8 if kind is Recalled.END else 11))
    bits = random.randint(8, most)
    groups, blocks = random.choice([(1, 1), (1, 3), (2, 2), (3, 1)])
    last = parameters.vector.side_words - groups * blocks * parameters.block.channels
    mask_plane = random.randrange(32)
    plane_stride, group_stride = random.randrange(16), random.randrange(200)
    words = 31 * plane_stride + group_stride * (groups - 1) + blocks
    command = Recall(
        **_header(random),
        kind=kind,
        bits=bits,
        masked=random.random() < 0.5,
        mask_plane=mask_plane,
        address=_address(random, parameters, words),
        plane_stride=plane_stride,
        group_stride=group_stride,
        channel_groups=groups,
        blocks=blocks,
        destination=2 * random.choice([0, random.randint(0, last // 2), last // 2]),
    )
    residual = kind is Recalled.RESIDUAL
    found = LookedUp(None if residual else Format(kept, kept - 3))
    return Task(index, command, random.choice([0, 1, 8]), random.choice([1, 8]), found)


# -- and wrong ones ------------------------------------------------------------------------------


def beyond_chip(random: Random, parameters: Parameters, task: Task) -> Task | None:
    """``task`` with its last write, or read of the plane memory, beyond a memory."""
    vector, command = parameters.vector, task.command
    assert vector is not None
    if task.skip:
        return None
    match command:
        case Set():
            last = vector.parameter_words - command.words * parameters.word_bytes // 16
        case Fill():
            span = command.destination_run_stride * (command.runs - 1) + command.lines
            last = vector.staging_words - span
        case Recall():
            lines = command.channel_groups * command.blocks * parameters.block.channels
            last = vector.side_words - lines + 1
        case Move():
            far = random.choice([parameters.buffers.plane_words, 0xFFFF])
            return replace(task, command=replace(command, address=far))
        case _:
            return None
    far = random.choice([last + 1, 0xFFFE if not isinstance(command, Set) else 0xFFF])
    return replace(task, command=replace(command, destination=far))


def beyond_window(random: Random, parameters: Parameters, task: Task) -> Task | None:
    """``task`` with an address before, behind or askew."""
    command, size = task.command, parameters.word_bytes
    if task.skip or isinstance(command, Move):
        return None
    assert isinstance(command, Load | Set | Fill | Recall)
    end = BASE + MEMORY_WORDS * size
    address = random.choice([BASE - size, end - size // 2, end, command.address + 4, 0])
    return replace(task, command=replace(command, address=address))
