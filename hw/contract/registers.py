"""The register map of the convolution engine: one object that makes the gateware's decoder, the
driver's constants and the reference in ``docs/registers.md``.

Registers are 32 bits; addresses here count words, on AXI-Lite they are four times that. 64-bit
counters are two registers: reading the low word latches the high one, so a pair read low first is
consistent.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from fractrain.hw.contract.commands import Fault, Tag
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.tables import markdown_table

WORD_BITS = 32
ADDRESS_BITS = 10
REGISTERS_BYTES = 4 << ADDRESS_BITS
"""Bytes of all registers; the rest of their window answers with an error."""
IDENTITY = int.from_bytes(b"FRC2", "big")
COUNTER_BASE = 64
COUNTER_TAG_STRIDE = 32
TABLE_BASE = 512


class Access(enum.Enum):
    """Access rights of a register."""

    READ = "read"
    WRITE = "write"
    READ_WRITE = "read, write"


@dataclass(frozen=True)
class BitField:
    """``width`` bits at ``offset`` of a register."""

    name: str
    offset: int
    width: int
    description: str

    def insert(self, value: int) -> int:
        return (value & ((1 << self.width) - 1)) << self.offset

    def extract(self, word: int) -> int:
        return (word >> self.offset) & ((1 << self.width) - 1)


@dataclass(frozen=True)
class Register:
    """One word of the map."""

    name: str
    address: int
    access: Access
    description: str
    fields: tuple[BitField, ...] = ()

    def field(self, name: str) -> BitField:
        return next(each for each in self.fields if each.name == name)


START = BitField("START", 0, 1, "1: run the program; ignored unless the machine is idle")
RESET = BitField(
    "RESET",
    1,
    1,
    "1: stop, forget all commands and clear the fault; the table, the window and what is in the "
    "on-chip memories stay",
)
CLEAR_COUNTERS = BitField("CLEAR_COUNTERS", 2, 1, "1: set every counter to 0")

IDLE = BitField("IDLE", 0, 1, "no program is running and the memory ports are quiet")
DONE = BitField("DONE", 1, 1, "a program has reached END since START or RESET")
FAULT = BitField("FAULT", 2, 1, "stopped by an error")
DRAINING = BitField("DRAINING", 3, 1, "answers of memory to requests from before are outstanding")
CAUSE = BitField("CAUSE", 8, 8, "what the error was, see the table of faults")

INTERRUPT_PENDING = BitField("PENDING", 0, 1, "a program ended or failed; write 1 to clear")
HOST_PENDING = BitField("HOST", 1, 1, "there are tokens for the host, which has to take them")
INTERRUPT_ENABLED = BitField("ENABLE", 0, 1, "1: the interrupt line follows PENDING")

ACTIVATION_BITS = BitField("ACTIVATION", 0, 5, "bits of activations, 0 skips")
WEIGHT_BITS = BitField("WEIGHT", 8, 5, "bits of weights, 0 skips")
ERROR_BITS = BitField("ERROR", 16, 5, "bits of errors, 0 skips")
TABLE_FIELDS = (ACTIVATION_BITS, WEIGHT_BITS, ERROR_BITS)

INNER_BITS = BitField("INNER", 24, 4, "bits of x̂ inside a block")
OUTER_BITS = BitField("OUTER", 28, 4, "bits of x̂ at a block's end")
VECTOR_TABLE_FIELDS = (INNER_BITS, OUTER_BITS)
"""Beside `TABLE_FIELDS`, on a machine with a vector unit."""

_R, _W, _RW = Access.READ, Access.WRITE, Access.READ_WRITE
ID = Register("ID", 0, _R, f"the constant 0x{IDENTITY:08X}")
BUILD_HASH = Register("BUILD_HASH", 1, _R, "first 32 bits of the build hash in the manifest")
CONTROL = Register("CONTROL", 2, _W, "actions", (START, RESET, CLEAR_COUNTERS))
STATUS = Register("STATUS", 3, _R, "state of the machine", (IDLE, DONE, FAULT, DRAINING, CAUSE))
FAULT_INDEX = Register("FAULT_INDEX", 4, _R, "number of the failing command in its program, from 0")
WINDOW_FIRST = Register("WINDOW_FIRST", 5, _RW, "first byte that may be accessed; 0 at reset")
WINDOW_LAST = Register(
    "WINDOW_LAST", 6, _RW, "last byte that may be accessed; 0 at reset, which allows nothing"
)
PROGRAM_ADDRESS = Register("PROGRAM_ADDRESS", 7, _RW, "first byte of the command stream")
PROGRAM_COMMANDS = Register("PROGRAM_COMMANDS", 8, _RW, "commands in it, END included")
WATCHDOG = Register(
    "WATCHDOG",
    9,
    _RW,
    "cycles that memory may take to answer before the machine stops; 0: for ever; 2^20 at reset",
)
INTERRUPT = Register(
    "INTERRUPT", 10, _RW, "state of the interrupt", (INTERRUPT_PENDING, HOST_PENDING)
)
INTERRUPT_ENABLE = Register("INTERRUPT_ENABLE", 11, _RW, "its mask", (INTERRUPT_ENABLED,))

REGISTERS = (
    ID,
    BUILD_HASH,
    CONTROL,
    STATUS,
    FAULT_INDEX,
    WINDOW_FIRST,
    WINDOW_LAST,
    PROGRAM_ADDRESS,
    PROGRAM_COMMANDS,
    WATCHDOG,
    INTERRUPT,
    INTERRUPT_ENABLE,
)

SEED_LOW = Register("SEED_LOW", 12, _RW, "seed of the random bits, bits 31..0")
SEED_HIGH = Register("SEED_HIGH", 13, _RW, "its bits 62..32")
STEP_LOW = Register("STEP_LOW", 14, _RW, "number of the step, for the random bits, bits 31..0")
STEP_HIGH = Register("STEP_HIGH", 15, _RW, "its bits 47..32")
HOST_TOKENS = Register("HOST_TOKENS", 16, _RW, "tokens for the host; writing n takes n of them")
HOST_GIVE = Register("HOST_GIVE", 17, _W, "writing n gives the fetch stage n tokens")

VECTOR_REGISTERS = (SEED_LOW, SEED_HIGH, STEP_LOW, STEP_HIGH, HOST_TOKENS, HOST_GIVE)
"""Of a machine with a vector unit."""


@dataclass(frozen=True)
class Counter:
    """A 64-bit event counter, low word first, once for every `Tag`."""

    name: str
    number: int
    description: str

    def address(self, tag: Tag) -> int:
        return COUNTER_BASE + tag * COUNTER_TAG_STRIDE + 2 * self.number


# While a program runs, every cycle is counted in exactly one of these, under the tag of
# the command that the execute stage has at work or waiting (OTHER if it has none).
CYCLE_COUNTERS = (
    Counter("BUSY", 0, "cycles in which the array was given a pass"),
    Counter("STALL_OPERAND", 1, "cycles in which a pass waited for its window"),
    Counter("STALL_RESULT", 2, "cycles in which a pass waited for room for its tile's results"),
    Counter("STALL_MEMORY", 3, "cycles in which a command waited for a LOAD that is at work"),
    Counter("STALL_TOKEN", 4, "cycles in which a command waited for any other token"),
    Counter("OTHER_CYCLES", 5, "all others: no command for the array, or one on its way"),
)
BYTES_READ = Counter("BYTES_READ", 6, "bytes read by LOAD, or of the command stream (tag OTHER)")
BYTES_WRITTEN = Counter("BYTES_WRITTEN", 7, "bytes written by STORE")
COUNTERS = (*CYCLE_COUNTERS, BYTES_READ, BYTES_WRITTEN)

# While a program runs, every cycle is counted in at most one of the first six, under the tag of
# the command that the vector stage has at work or waiting.
VECTOR_CYCLE_COUNTERS = (
    Counter("VECTOR_BUSY", 8, "cycles in which the vector unit took a line"),
    Counter("VECTOR_CHANNEL", 9, "cycles in which it worked on the numbers of channels"),
    Counter("VECTOR_STALL_BANK", 10, "cycles in which a line waited for an on-chip memory"),
    Counter("VECTOR_STALL_READ", 11, "cycles in which it waited for a read of memory"),
    Counter("VECTOR_STALL_WRITE", 12, "cycles in which it waited for room for what it writes"),
    Counter("VECTOR_STALL_TOKEN", 13, "cycles in which a command waited for a token"),
)
STASH_READ = Counter("STASH_READ", 14, "bytes read by RECALL, FILL, SET, QUANTIZE and UPDATE")
STASH_WRITTEN = Counter("STASH_WRITTEN", 15, "bytes written by the vector stage")
VECTOR_COUNTERS = (*VECTOR_CYCLE_COUNTERS, STASH_READ, STASH_WRITTEN)
"""Of a machine with a vector unit, beside `COUNTERS`."""


class RegisterMap:
    """All registers of a machine with ``parameters``."""

    def __init__(self, parameters: Parameters) -> None:
        self.slots = parameters.precision.slots
        self.registers = REGISTERS

    def table_address(self, slot: int) -> int:
        """Address of precision slot ``slot``."""
        return TABLE_BASE + slot

    def markdown(self) -> str:
        """The reference page; ``docs/registers.md`` is this text."""
        rows = []
        for register in (*self.registers, *VECTOR_REGISTERS):
            address, access = str(register.address), register.access.value
            rows.append((address, register.name, access, "", register.description))
            rows += [_field_row(each) for each in register.fields]
        for tag in Tag:
            for counter in (*COUNTERS, *VECTOR_COUNTERS):
                first, name = counter.address(tag), f"{tag.name}_{counter.name}"
                about = f"{counter.description}; 64 bits"
                rows.append((f"{first}..{first + 1}", name, _R.value, "", about))
        about = "bits of one slot of the precision table"
        rows.append((f"{TABLE_BASE}+slot", "PRECISION", _RW.value, "", about))
        rows += [_field_row(each) for each in (*TABLE_FIELDS, *VECTOR_TABLE_FIELDS)]
        faults = [(str(fault.value), fault.name, fault.description) for fault in Fault]
        return "\n".join(
            [
                "# Registers",
                "",
                "32-bit words, addresses count words (times four on AXI-Lite). Made from "
                "`hw/contract/registers.py` by `fractrain generate`; a test fails when this page "
                "is not current. "
                f"{', '.join(each.name for each in VECTOR_REGISTERS)}, the counters from "
                f"{VECTOR_COUNTERS[0].name} on, INTERRUPT.HOST, INNER and OUTER are those of a "
                "vector unit: without one they read 0, and a write to them does nothing.",
                "",
                markdown_table(("address", "name", "access", "bits", "meaning"), rows),
                "",
                markdown_table(("cause", "name", "meaning"), faults),
                "",
            ]
        )


def encode_precision(precision: Precision, kept: KeptBits | None = None) -> int:
    """Word of the precision table for ``precision``; ``kept``: on a machine with a vector unit."""
    word = (
        ACTIVATION_BITS.insert(precision.activation)
        | WEIGHT_BITS.insert(precision.weight)
        | ERROR_BITS.insert(precision.error)
    )
    if kept is None:
        return word
    return word | INNER_BITS.insert(kept.inner) | OUTER_BITS.insert(kept.outer)


def _field_row(each: BitField) -> tuple[str, str, str, str, str]:
    top = each.offset + each.width - 1
    bits = f"{top}:{each.offset}" if each.width > 1 else f"{each.offset}"
    return "", each.name, "", bits, each.description
