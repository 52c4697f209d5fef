"""MOVE, RECALL, FILL and SET: what the fetch stage brings to a vector unit."""

from __future__ import annotations

import numpy as np

from fractrain.hw.contract.commands import Fill, Move, Recall, Recalled, Set
from fractrain.hw.contract.records import RECORD_BYTES
from fractrain.sim.functional.arithmetic import Integers, sign_extend
from fractrain.sim.functional.decoding import Task
from fractrain.sim.functional.words import (
    ChipMemories,
    ExternalMemory,
    from_bytes,
    plane_words,
    write_columns,
)

VectorLoad = Move | Recall | Fill | Set


def load_vector(
    task: Task, command: VectorLoad, chip: ChipMemories, external: ExternalMemory
) -> None:
    """Carry out ``command``."""
    if isinstance(command, Move):
        _move(task, command, chip)
    elif isinstance(command, Recall):
        _recall(task, command, chip, external)
    elif isinstance(command, Fill):
        _fill(command, chip, external)
    else:
        _set(command, chip, external)


def _move(task: Task, command: Move, chip: ChipMemories) -> None:
    for plane in range(task.bits):
        for run in range(command.runs):
            first = command.address + plane * command.digit_stride + run * command.run_stride
            destination = (
                command.destination
                + plane * command.destination_digit_stride
                + run * command.destination_run_stride
            )
            words = chip.planes[plane_words(chip, first, command.words)]
            write_columns(chip, destination, words, command)


def _recall(task: Task, command: Recall, chip: ChipMemories, external: ExternalMemory) -> None:
    p, vector = chip.parameters, chip.unit
    groups, blocks, channels = command.channel_groups, command.blocks, p.block.channels
    lines = vector.side_lines(vector.pairs(command.destination), groups * blocks * channels)

    def plane(number: int) -> Integers:
        """``[group, block, pixel, channel]`` of a plane."""
        words = []
        for group in range(groups):
            offset = number * command.plane_stride + group * command.group_stride
            data = external.read(command.address + p.word_bytes * offset, p.word_bytes * blocks)
            words.append(from_bytes(data, p))
        return np.array(words, np.int64)

    bits = command.bits if command.kind is Recalled.RESIDUAL else _bits(task)
    total = np.zeros((groups, blocks, p.array.rows, channels), np.int64)
    for number in range(bits):
        total = total << 1 | plane(number)
    if command.kind is not Recalled.RESIDUAL:
        total = sign_extend(total, bits)
    masks = plane(command.mask_plane) if command.masked else np.zeros_like(total)
    shape = (-1, p.array.rows)
    values, masks = (each.swapaxes(2, 3).reshape(shape) for each in (total, masks))
    vector.store_side(lines, values, masks)


def _bits(task: Task) -> int:
    """Of x̂, by its slot."""
    assert task.kept is not None
    return task.kept.bits


def _fill(command: Fill, chip: ChipMemories, external: ExternalMemory) -> None:
    p = chip.parameters
    for run in range(command.runs):
        first = command.destination + run * command.destination_run_stride
        lines = chip.unit.lines(first, command.lines)
        address = command.address + p.line_bytes * run * command.run_stride
        data = external.read(address, p.line_bytes * command.lines)
        chip.unit.staging[lines] = data.view("<i2").reshape(-1, p.array.rows)


def _set(command: Set, chip: ChipMemories, external: ExternalMemory) -> None:
    size = command.words * chip.parameters.word_bytes
    where = chip.unit.record_range(command.destination, size // RECORD_BYTES)
    data = external.read(command.address, size)
    chip.unit.records[where] = data.reshape(-1, RECORD_BYTES)
