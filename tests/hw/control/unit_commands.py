"""Random commands of a machine with a vector unit, and what the functional machine says of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from fractrain.hw.contract.commands import (
    COMMAND_BITS,
    FIELDS,
    NO_GROUP,
    SIGNAL,
    WAIT,
    Fault,
    Headed,
    Opcode,
)
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand
from fractrain.sim.functional.decoding import Task, decode_task
from fractrain.sim.functional.fault import StageFault
from tests.hw.control.random_commands import with_field

SLOTS = ("slot", "kept_slot", "form_slot", "mask_slot")
CODED = ("row_pixels", "kind", "earlier", "second", "operand", "partner")
RARELY = 0.04
"""How often a field is drawn from all that it can say."""


@dataclass(frozen=True)
class Entry:
    """Of the table: any numbers that its bits can hold."""

    activation: int
    weight: int
    error: int
    inner: int = 4
    outer: int = 4

    def bits(self, operand: Operand) -> int:
        return (self.activation, self.weight, self.error)[operand]

    @property
    def kept(self) -> int:
        """Both fields of x̂, as the table has them."""
        return self.inner | self.outer << 4


def random_entry(random: Random) -> Entry:
    """Mostly what commands take."""
    widths = [random.choice([0, 1, 8, 8, 9, 12, 13, 16, random.randrange(32)]) for _ in range(3)]
    inner, outer = (random.choice([*range(4, 9), random.randrange(16)]) for _ in range(2))
    return Entry(*widths, inner, outer)


def random_word(random: Random, parameters: Parameters, opcode: Opcode) -> int:
    """Any bits, then most fields say something that exists."""
    word = with_field(random.getrandbits(COMMAND_BITS), opcode, "opcode", opcode)
    for name, field in FIELDS[opcode].items():
        values = _legal(random, parameters, opcode, name)
        if values is None and field.count:
            values = range(1, min(1 << field.width, 50))
        if values is not None and random.random() > RARELY:
            word = with_field(word, opcode, name, random.choice(values))
    return word


def _legal(random: Random, parameters: Parameters, opcode: Opcode, name: str) -> Sequence | None:
    """What a field may say; None: anything, or it is a count."""
    stage, patterns = opcode.stage, parameters.buffers.patterns
    if name in SLOTS:
        return range(parameters.precision.slots)
    if name in CODED:
        return range(3)
    if name in ("wait", "signal"):
        of = {"wait": WAIT, "signal": SIGNAL}[name]
        return range(1 << (len(of[stage]) if stage is not None else 0))
    if name == "groups" and opcode in (Opcode.LOAD, Opcode.MOVE):
        groups = [random.choice([*range(parameters.lane_groups), NO_GROUP]) for _ in range(10)]
        return [sum(group << 4 * half for half, group in enumerate(groups))]
    return {
        (Opcode.LOAD, "words"): range(1, parameters.column_word_parts + 1),
        (Opcode.MOVE, "words"): range(1, parameters.column_word_parts + 1),
        (Opcode.PATTERN, "entry"): range(patterns),
        (Opcode.CONVOLVE, "pattern"): range(patterns // 2),
        (Opcode.CONVOLVE, "pairs"): range(1, patterns // 2),
        (Opcode.STORE, "format"): range(5),
        (Opcode.STORE, "bits"): range(1, 17),
        (Opcode.RECALL, "bits"): range(7, 13),
        (Opcode.FORM, "residual_bits"): range(7, 18),
        (Opcode.CHANNEL, "pixels"): [1, 1024, (1 << 17) - 1, 1 << 17, (1 << 17) + 1],
    }.get((opcode, name))


def decoded(
    word: int, index: int, table: Sequence[Entry], parameters: Parameters
) -> tuple[Fault, Task | None]:
    """The functional machine's verdict."""
    kept = [KeptBits(each.inner, each.outer) for each in table]
    try:
        return Fault.NONE, decode_task(word, index, parameters, table, kept)  # type: ignore[arg-type]
    except StageFault as fault:
        return fault.fault, None


def task_fields(task: Task, word: int) -> dict[str, Any]:
    """The `stage_task` of ``task`` on a machine whose digits are planes."""
    fields: dict[str, Any] = {
        "index": task.index,
        "command": word,
        "digits": task.bits,
        "partner_digits": task.partner_bits,
        "tail": 1,
        "partner_tail": 1,
        "skip": int(task.skip),
    }
    if isinstance(task.command, Headed) and not task.skip:
        fields["kept_bits"] = task.kept.bits if task.kept is not None else 0
        fields["form_bits"] = task.form_bits
        fields["masked"] = int(task.masked)
    return fields
