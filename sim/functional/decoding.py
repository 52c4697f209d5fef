"""Command words as commands, with everything checked that the machine checks when it decodes."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.hw.contract.commands import (
    FIELDS,
    NO_GROUP,
    Command,
    Convolve,
    Fault,
    Format,
    Load,
    Memory,
    Opcode,
    Pattern,
    RowPixels,
    Stage,
    Store,
    decode,
    opcode_of,
)
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import MAX_BITS, Operand, Precision
from fractrain.sim.functional.fault import require


@dataclass(frozen=True)
class Task:
    """A command on its way to its stage, with its precision looked up."""

    index: int
    command: Command
    bits: int = 0
    partner_bits: int = 0

    @property
    def skip(self) -> bool:
        """Only the tokens of this command count."""
        precise = isinstance(self.command, Load | Convolve | Store)
        return precise and 0 in (self.bits, self.partner_bits)

    @property
    def stage(self) -> Stage:
        stage = opcode_of(self.command).stage
        if stage is None:
            raise ValueError("END belongs to no stage")
        return stage


def decode_task(word: int, index: int, parameters: Parameters, table: list[Precision]) -> Task:
    """The task of command ``word``; `StageFault` if it is none."""
    opcode = word & 0xFF
    require(opcode in FIELDS, Fault.OPCODE, f"opcode {opcode}")
    kind = Opcode(opcode)
    raw = {
        name: (word >> place.offset) & ((1 << place.width) - 1)
        for name, place in FIELDS[kind].items()
    }
    require(raw["slot"] < parameters.precision.slots, Fault.SLOT, f"slot {raw['slot']}")
    for name in ("operand", "partner"):
        require(raw[name] < len(Operand), Fault.SLOT, f"{name} {raw[name]}")
    for name, options in (("format", len(Format)), ("row_pixels", len(RowPixels))):
        require(raw.get(name, 0) < options, Fault.COUNT, f"{name} {raw.get(name)}")
    command = decode(word)
    if not isinstance(command, Load | Convolve | Store):
        if isinstance(command, Pattern):
            entries = parameters.buffers.patterns
            require(command.entry < entries, Fault.COUNT, f"entry {command.entry} of {entries}")
        return Task(index, command)
    _check_counts(command, parameters)
    entry = table[command.slot]
    bits, partner = entry.bits(command.operand), entry.bits(command.partner)
    largest = parameters.precision.max_bits
    require(max(bits, partner) <= largest, Fault.PRECISION, f"{bits} and {partner} bits")
    return Task(index, command, bits, partner)


def _check_counts(command: Load | Convolve | Store, parameters: Parameters) -> None:
    if isinstance(command, Load):
        _at_least_one(command, "runs", "words")
        if command.memory is Memory.COLUMNS:
            require(
                command.words <= parameters.column_word_parts, Fault.COUNT, f"{command.words} words"
            )
            for half in range(2 * command.words):
                group = command.group(half)
                exists = group < parameters.lane_groups or group == NO_GROUP
                require(exists, Fault.COUNT, f"lane group {group}")
        return
    _at_least_one(command, "tiles_x", "tiles_y", "images")
    if isinstance(command, Convolve):
        _at_least_one(command, "slices", "pairs")
        entries = parameters.buffers.patterns
        last = command.pattern + command.pairs - 1
        require(last < entries, Fault.COUNT, f"pattern entry {last} of {entries}")
    elif command.format is Format.PLANES:
        require(1 <= command.bits <= MAX_BITS, Fault.COUNT, f"results of {command.bits} bits")


def _at_least_one(command: Command, *names: str) -> None:
    for name in names:
        require(getattr(command, name) >= 1, Fault.COUNT, f"{name} is 0")
