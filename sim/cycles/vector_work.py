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
KEPT_TOGETHER = 7
"""Digits of x̂ that pass with activations and mask, at 16 channels."""

Places = list[tuple[int, int]]
"""Places in the corner turn, in their order, and the planes of the stash that leave there."""

Lined = Form | Normalize | Recompute | Carry | Apply
"""Commands that go through a tensor line by line."""


@dataclass(frozen=True)
class Pass:
    """Of the C lines of one block through the corner turn: the ``cycles`` in which they are taken,
    the ``lines`` that are then done, and whether they are ``kept`` in the side memory, how many
    ``planes`` are written on chip, places in the corner turn, addresses and sizes in bytes of the
    words that leave to the stash, address and size of the sums of an image."""

    cycles: int
    lines: int
    kept: bool
    planes: int
    writes: list[tuple[int, int, int]]
    pooled: tuple[int, int] | None = None


def passes_of(task: Task, shape: Shape, parameters: Parameters) -> Iterator[Pass]:
    """Block after block of a command: a line in a cycle; a shortcut's x̂ takes another. A block with
    more digits than the corner turn has rows passes twice, or more often."""
    command = task.command
    assert isinstance(command, Lined)
    channels = parameters.block.channels
    twice = isinstance(command, Form) and command.second is Second.SHORTCUT and command.normalized
    cycles = channels * (2 if twice else 1)
    sets, pool = _sets(task, shape, channels), getattr(command, "pooled", False)
    on_chip = _planes(task, len(sets), channels)
    kept = isinstance(command, Recompute) or (isinstance(command, Form) and command.kept)
    per_image = shape.tiles_x * shape.tiles_y
    word, base = parameters.word_bytes, getattr(command, "stash", 0)
    sums = WORD_OF_SUM * channels
    for group in range(shape.channel_groups):
        for block in range(shape.images * per_image):
            place = group * shape.stash_group_stride + block
            for number, planes in enumerate(sets, 1):
                writes = [
                    (turned, base + word * (plane * shape.stash_stride + place), word)
                    for turned, plane in planes
                ]
                pooled = None
                image, rest = divmod(block + 1, per_image)
                if pool and not rest and number == len(sets):
                    assert isinstance(command, Form)
                    group_of_image = (image - 1) * shape.channel_groups + group
                    pooled = command.pool + sums * group_of_image, sums
                lines = channels if number == len(sets) else 0
                yield Pass(cycles, lines, bool(lines) and kept, on_chip[number - 1], writes, pooled)


def _sets(task: Task, shape: Shape, channels: int) -> list[Places]:
    """What of the stash leaves with each pass of a block; a pass at least."""
    command = task.command
    if isinstance(command, Apply):
        return [[]] * (2 if channels == 8 and task.digits > 8 else 1)
    if not isinstance(command, Form | Normalize):
        return [[]]
    bits, end = _kept(task)
    # a digit of x̂ at a block's end stands one lower
    kept = [(end + plane, plane) for plane in range(bits)]
    mask: Places = []
    residual: Places = []
    activations: Places = []
    planed = False
    if isinstance(command, Form):
        if command.stash_mask:
            mask = [(channels - 1, shape.mask_plane)]
        if command.stash_activations:
            activations = [(bit, shape.activation_plane + bit) for bit in range(task.form_bits)]
        planed = bool(task.form_bits) and (command.planed or command.stash_activations)
        if command.stash_residual:
            residual = [(bit, shape.residual_plane + bit) for bit in range(MIN_RESIDUAL_BITS)]
    if channels == 8:
        high = [each for each in kept if each[0] < channels]
        low = _moved(kept[len(high) :], -channels) + mask
        wanted = [
            (high, bool(high)),
            (low, bool(low)),
            (residual, bool(residual)),
            (activations, planed),
        ]
    elif (kept or mask) and not residual and bits + (end and bits > 0) <= KEPT_TOGETHER:
        wanted = [(activations + _moved(kept, channels // 2) + mask, True)]
    else:
        wanted = [(kept + mask, bool(kept or mask))]
        both = activations + _moved(residual, channels // 2)
        wanted.append((both, planed or bool(residual)))
    return [places for places, there in wanted if there] or [[]]


def _moved(places: Places, by: int) -> Places:
    return [(place + by, plane) for place, plane in places]


def _planes(task: Task, passes: int, channels: int) -> list[int]:
    """Planes that each pass of a block writes on chip; activations come last."""
    command, before = task.command, [0] * (passes - 1)
    if isinstance(command, Apply):
        return [task.digits] if passes == 1 else [channels, task.digits - channels]
    planed = isinstance(command, Recompute) or (isinstance(command, Form) and command.planed)
    return [*before, task.form_bits if planed else 0]


def _kept(task: Task) -> tuple[int, bool]:
    """Bits of x̂ that go to the stash, and whether they are those of a block's end."""
    command, kept = task.command, task.kept
    if isinstance(command, Normalize):
        stashed, end = command.stashed, True
    else:
        assert isinstance(command, Form)
        stashed, end = command.stash_normalized, command.end
    if not stashed:
        return 0, end
    assert kept is not None
    return (kept.outer if end else kept.inner), end
