"""What the vector stage does for a command: lines in cycles, words that it writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fractrain.hw.contract.commands import (
    Apply,
    Carry,
    Form,
    Normalize,
    Recompute,
    Second,
    Shape,
)
from fractrain.hw.contract.numerics import MIN_RESIDUAL_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cycles.commands import Task

WORD_OF_SUM = 4
"""Bytes of a pooled sum."""

Lined = Form | Normalize | Recompute | Carry | Apply
"""Commands that go through a tensor line by line."""


@dataclass(frozen=True)
class BlockWork:
    """Of the C lines of one block: the ``cycles`` in which they are taken, and the addresses and
    sizes in bytes of what goes to memory."""

    cycles: int
    writes: list[tuple[int, int]]


def blocks_of(task: Task, shape: Shape, parameters: Parameters) -> Iterator[BlockWork]:
    """Block after block of a command: a line in a cycle; a shortcut's x̂ takes another. A block with
    more digits than the corner turn has rows passes twice, or more often."""
    command = task.command
    assert isinstance(command, Lined)
    twice = isinstance(command, Form) and command.second is Second.SHORTCUT and command.normalized
    channels = parameters.block.channels
    cycles = channels * _passes(task, channels) * (2 if twice else 1)
    planes, pool = _planes(task, shape), getattr(command, "pooled", False)
    per_image = shape.tiles_x * shape.tiles_y
    word, base = parameters.word_bytes, getattr(command, "stash", 0)
    sums = WORD_OF_SUM * parameters.block.channels
    for group in range(shape.channel_groups):
        for block in range(shape.images * per_image):
            place = group * shape.stash_group_stride + block
            writes = [(base + word * (p * shape.stash_stride + place), word) for p in planes]
            image, last = divmod(block + 1, per_image)
            if pool and not last:
                assert isinstance(command, Form)
                number = (image - 1) * shape.channel_groups + group
                writes.append((command.pool + sums * number, sums))
            yield BlockWork(cycles, writes)


def _passes(task: Task, channels: int) -> int:
    """How often a block goes through the corner turn of so many rows."""
    command = task.command
    bits, x, mask, residual = task.form_bits, 0, False, False
    if isinstance(command, Apply):
        bits = task.digits
    elif isinstance(command, Form | Normalize):
        x = _kept_bits(task)
        mask = getattr(command, "stash_mask", False)
        residual = getattr(command, "stash_residual", False)
    if channels == 8:
        sets = bits > 0, bits > 8, x > 0, x > 8 or mask, residual
        return max(1, sum(sets))
    return 2 if x > 7 or (residual and (x or mask)) else 1


def _kept_bits(task: Task) -> int:
    """Bits of x̂ that go to the stash."""
    command, kept = task.command, task.kept
    if isinstance(command, Normalize):
        stashed, end = command.stashed, True
    else:
        assert isinstance(command, Form)
        stashed, end = command.stash_normalized, command.end
    if not stashed:
        return 0
    assert kept is not None
    return kept.outer if end else kept.inner


def _planes(task: Task, shape: Shape) -> list[int]:
    """Planes of the stash that a command writes."""
    command = task.command
    if not isinstance(command, Form | Normalize):
        return []
    planes = list(range(_kept_bits(task)))
    if isinstance(command, Normalize):
        return planes
    if command.stash_mask:
        planes.append(shape.mask_plane)
    if command.stash_activations:
        planes += range(shape.activation_plane, shape.activation_plane + task.form_bits)
    if command.stash_residual:
        planes += range(shape.residual_plane, shape.residual_plane + MIN_RESIDUAL_BITS)
    return planes
