"""Command words as commands, with everything checked that the machine checks when it decodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fractrain.hw.contract.commands import (
    ENGINE_OPCODES,
    ENGINE_SIGNAL,
    ENGINE_WAIT,
    FIELDS,
    NO_GROUP,
    SIGNAL,
    WAIT,
    Command,
    Convolve,
    Fault,
    Format,
    Headed,
    Load,
    Memory,
    Move,
    Opcode,
    Pattern,
    Stage,
    Store,
    decode,
    opcode_of,
)
from fractrain.hw.contract.normalized import Format as NormalizedFormat
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import MAX_BITS, Operand, Precision
from fractrain.sim.functional.fault import require
from fractrain.sim.functional.vector_decoding import (
    ENUMERATED,
    SLOT_FIELDS,
    LookedUp,
    check_counts,
    look_up,
)


@dataclass(frozen=True)
class Task:
    """A command on its way to its stage, with its precision looked up; ``found``: what commands for
    a vector unit find in the tables beside that."""

    index: int
    command: Command
    bits: int = 0
    partner_bits: int = 0
    found: LookedUp = field(default_factory=LookedUp)

    @property
    def absent(self) -> bool:
        """Operand or partner have 0 bits."""
        return 0 in (self.bits, self.partner_bits)

    @property
    def skip(self) -> bool:
        """Only the tokens of this command count."""
        if not opcode_of(self.command).skips:
            return False
        return self.absent is not getattr(self.command, "skipped", False)

    @property
    def kept(self) -> NormalizedFormat | None:
        return self.found.kept

    @property
    def form_bits(self) -> int:
        return self.found.form_bits

    @property
    def masked(self) -> bool:
        return self.found.masked

    @property
    def stage(self) -> Stage:
        stage = opcode_of(self.command).stage
        if stage is None:
            raise ValueError("END belongs to no stage")
        return stage


def decode_task(
    word: int,
    index: int,
    parameters: Parameters,
    table: Sequence[Precision],
    kept: Sequence[KeptBits] = (),
) -> Task:
    """The task of command ``word``; `StageFault` if it is none. ``kept``: bits of x̂ of each slot,
    on a machine with a vector unit."""
    opcode = word & 0xFF
    known = ENGINE_OPCODES if parameters.vector is None else FIELDS
    require(opcode in known, Fault.OPCODE, f"opcode {opcode}")
    kind = Opcode(opcode)
    raw = {
        name: (word >> place.offset) & ((1 << place.width) - 1)
        for name, place in FIELDS[kind].items()
    }
    require(raw["slot"] < parameters.precision.slots, Fault.SLOT, f"slot {raw['slot']}")
    for name in ("operand", "partner"):
        require(raw[name] < len(Operand), Fault.SLOT, f"{name} {raw[name]}")
    for name in SLOT_FIELDS:
        slots = parameters.precision.slots
        require(raw.get(name, 0) < slots, Fault.SLOT, f"{name} {raw.get(name)}")
    entry = table[raw["slot"]]
    bits, partner = (entry.bits(Operand(raw[name])) for name in ("operand", "partner"))
    if kind.skips:
        largest = parameters.precision.max_bits
        require(max(bits, partner) <= largest, Fault.PRECISION, f"{bits} and {partner} bits")
    _check_codes(raw, kind, parameters)
    command = decode(word)
    if isinstance(command, Headed):
        check_counts(command, parameters)
    else:
        _check_counts(command, parameters)
    if isinstance(command, Load | Move):
        _check_groups(command, parameters)
    task = Task(index, command, bits, partner)
    if not isinstance(command, Headed) or task.skip:
        return task
    return replace(task, found=look_up(command, bits, parameters, table, kept))


def _check_codes(raw: dict[str, int], kind: Opcode, parameters: Parameters) -> None:
    """COUNT for counts of 0, and for codes and tokens of nothing."""
    for name, place in FIELDS[kind].items():
        require(not place.count or raw[name] >= 1, Fault.COUNT, f"{name} is 0")
    for name, codes in (("format", Format), *ENUMERATED.items()):
        require(raw.get(name, 0) < len(codes), Fault.COUNT, f"{name} {raw.get(name)}")
    engine = parameters.vector is None
    for name, of in (
        ("wait", ENGINE_WAIT if engine else WAIT),
        ("signal", ENGINE_SIGNAL if engine else SIGNAL),
    ):
        tokens = len(of[kind.stage]) if kind.stage is not None else 0
        require(raw[name] < 1 << tokens, Fault.COUNT, f"{name} {raw[name]}")


def _check_counts(command: Command, parameters: Parameters) -> None:
    entries = parameters.buffers.patterns
    if isinstance(command, Pattern):
        require(command.entry < entries, Fault.COUNT, f"entry {command.entry} of {entries}")
    elif isinstance(command, Convolve):
        last = command.pattern + command.pairs - 1
        require(last < entries, Fault.COUNT, f"pattern entry {last} of {entries}")
    elif isinstance(command, Store) and command.format is Format.PLANES:
        require(1 <= command.bits <= MAX_BITS, Fault.COUNT, f"results of {command.bits} bits")


def _check_groups(command: Load | Move, parameters: Parameters) -> None:
    """Lane groups of the half-blocks that go to the column memory."""
    if isinstance(command, Load) and command.memory is not Memory.COLUMNS:
        return
    parts = parameters.column_word_parts
    require(command.words <= parts, Fault.COUNT, f"{command.words} words, at most {parts}")
    for half in range(2 * command.words):
        group = command.group(half)
        exists = group < parameters.lane_groups or group == NO_GROUP
        require(exists, Fault.COUNT, f"lane group {group}")
