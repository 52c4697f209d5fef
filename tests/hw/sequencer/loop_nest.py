"""The passes of a command, as the contract writes them down: plain loops."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from fractrain.hw.contract.commands import Convolve, Pattern, Tag, encode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand
from fractrain.hw.flow.tasks import stage_task

Pass = dict[str, int]


@dataclass(frozen=True)
class Task:
    """A command of the execute stage with the bits of its operands."""

    command: Convolve | Pattern
    bits: int = 1
    partner_bits: int = 1
    index: int = 0

    @property
    def skip(self) -> bool:
        return not (self.bits and self.partner_bits)

    @property
    def has_passes(self) -> bool:
        return isinstance(self.command, Convolve) and not self.skip


def encode_task(parameters: Parameters, task: Task) -> int:
    """The payload of a task stream."""
    spatial = parameters.array.spatial_bits
    digits, partner = parameters.digits(task.bits), parameters.digits(task.partner_bits)
    values = {
        "index": task.index,
        "command": encode(task.command),
        "digits": digits,
        "tail": task.bits - (digits - 1) * spatial if digits else 0,
        "partner_digits": partner,
        "partner_tail": task.partner_bits - (partner - 1) * spatial if partner else 0,
        "skip": int(task.skip),
    }
    return stage_task(parameters).const(values).as_value().value


def items_of(parameters: Parameters, task: Task) -> Iterator[Pass]:
    """What the sequencer makes of ``task``: passes, or one empty item."""
    common = {"index": task.index, "tag": int(task.command.tag), "signal": task.command.signal & 1}
    if not task.has_passes:
        yield common | {"empty": 1, "ends": 1, "new_window": 0, "last": 0}
        return
    passes = list(passes_of(parameters, task))
    for number, each in enumerate(passes):
        yield common | {"empty": 0, "ends": int(number == len(passes) - 1)} | each


def passes_of(parameters: Parameters, task: Task) -> Iterator[Pass]:
    """The loop nest of `Convolve`."""
    command, spatial = task.command, parameters.array.spatial_bits
    assert isinstance(command, Convolve)
    row_digits, column_digits = parameters.digits(task.bits), parameters.digits(task.partner_bits)
    places = command.images * command.tiles_y * command.tiles_x
    for place in range(places):
        for number in range(command.slices):
            step = number + (place * command.slices if command.reduce else 0)
            steps = command.slices * (places if command.reduce else 1)
            for p in range(row_digits):
                for q in range(column_digits):
                    starts = (step, p, q) == (0, 0, 0)
                    sends = (step, p, q) == (steps - 1, row_digits - 1, column_digits - 1)
                    address = command.column_address + step * command.column_slice_stride + q
                    row = _planes(task.bits, p, command.row_signed, spatial)
                    column = _planes(task.partner_bits, q, command.column_signed, spatial)
                    yield {
                        "new_window": int(q == 0),
                        "column_address": address % (1 << 16),
                        "groups": command.groups,
                        "shift": spatial * (row_digits - 1 - p + column_digits - 1 - q),
                        "first": int(starts and command.start),
                        "last": int(sends and command.finish),
                        "row_enable": row[0],
                        "row_negative": row[1],
                        "column_enable": column[0],
                        "column_negative": column[1],
                        "excess": -task.bits % spatial + -task.partner_bits % spatial,
                    }


def _planes(bits: int, digit: int, signed: bool, spatial: int) -> tuple[int, int]:
    """(enable, negative): planes of the digit that exist, and those of negative weight."""
    exist = min(spatial, bits - digit * spatial)
    return (1 << exist) - 1, int(signed and digit == 0)


def random_task(random: Random, parameters: Parameters, index: int) -> Task:
    """Mostly small loops; a sixth of the tasks make no pass."""
    header = {
        "slot": 0,
        "operand": Operand.ACTIVATION,
        "partner": Operand.WEIGHT,
        "tag": Tag(random.randrange(4)),
        "signal": random.randrange(2),
        "wait": random.randrange(4),
    }
    kind = random.random()
    if kind < 0.08:
        fields = {name: random.getrandbits(1) for name in ("a_enable", "b_enable")}
        noise = {"a_quarters": random.getrandbits(36), "b_quarters": random.getrandbits(36)}
        return Task(Pattern(entry=3, **header, **fields, **noise), index=index)
    flags = ("row_signed", "column_signed", "start", "finish", "reduce", "gradient")
    command = Convolve(
        **header,
        **{name: bool(random.getrandbits(1)) for name in flags},
        pattern=random.randrange(64),
        pairs=random.randrange(1, 10),
        address=random.randrange(1 << 16),
        column_address=random.randrange(1 << 16),
        column_slice_stride=random.randrange(1 << 16),
        groups=random.randrange(1 << 9),
        slices=random.choice((1, 1, 2, 3)),
        images=random.choice((1, 1, 2)),
        tiles_y=random.choice((1, 1, 2)),
        tiles_x=random.choice((1, 1, 2, 3)),
    )
    widest = parameters.precision.max_bits

    def bits() -> int:
        return random.choice((1, 1, 2, 3, 4, random.randint(1, widest)))

    task = Task(command, bits(), bits(), index)
    return dataclasses.replace(task, partner_bits=0) if kind < 0.16 else task


def convolve_task(
    random: Random,
    parameters: Parameters,
    index: int,
    bits: int = 1,
    partner_bits: int = 1,
    **fields: Any,
) -> Task:
    """A CONVOLVE of one place and slice, but for ``fields``; the rest of it is random."""
    once = dict.fromkeys(("slices", "images", "tiles_y", "tiles_x"), 1)
    while True:
        command = random_task(random, parameters, index).command
        if isinstance(command, Convolve):
            command = dataclasses.replace(command, **(once | fields))
            return Task(command, bits, partner_bits, index)
