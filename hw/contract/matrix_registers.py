"""The register map: one object that makes the gateware's decoder, the driver's constants and the
reference in ``docs/registers.md``.

Registers are 32 bits; addresses count words. 64-bit counters are two registers: reading the low
word latches the high one, so a pair read low first is consistent.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from hw.contract.matrix_commands import Fault
from hw.contract.parameters import Parameters
from hw.contract.precision import Precision

ADDRESS_BITS = 10
IDENTITY = int.from_bytes(b"FRAC", "big")
TABLE_BASE = 512


class Access(enum.Enum):
    """What software may do with a register."""

    READ = "read"
    WRITE = "write"


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


RESET = BitField(
    "RESET", 0, 1, "1: stop, forget all commands, clear the fault; buffers keep their contents"
)
CLEAR_COUNTERS = BitField("CLEAR_COUNTERS", 1, 1, "1: set every counter to 0")
IDLE = BitField("IDLE", 0, 1, "nothing queued and nothing in flight")
FAULT = BitField("FAULT", 1, 1, "stopped by an error")
CAUSE = BitField("CAUSE", 8, 8, "what the error was, see the table of faults")

ACTIVATION_BITS = BitField("ACTIVATION", 0, 5, "bits of activations, 0 skips")
WEIGHT_BITS = BitField("WEIGHT", 8, 5, "bits of weights, 0 skips")
ERROR_BITS = BitField("ERROR", 16, 5, "bits of errors, 0 skips")
TABLE_FIELDS = (ACTIVATION_BITS, WEIGHT_BITS, ERROR_BITS)

ID = Register("ID", 0, Access.READ, f"the constant 0x{IDENTITY:08X}")
BUILD_HASH = Register(
    "BUILD_HASH", 1, Access.READ, "first 32 bits of the build hash in the manifest"
)
CONTROL = Register("CONTROL", 2, Access.WRITE, "actions", (RESET, CLEAR_COUNTERS))
STATUS = Register("STATUS", 3, Access.READ, "state of the machine", (IDLE, FAULT, CAUSE))
FAULT_INDEX = Register(
    "FAULT_INDEX", 4, Access.READ, "commands since reset that stand before the wrong one"
)


@dataclass(frozen=True)
class Counter:
    """A 64-bit event counter at two consecutive addresses, low word first."""

    name: str
    address: int
    description: str


# Every cycle is counted in exactly one of BUSY, STALL_RESULT, STALL_TOKEN and IDLE_CYCLES.
COUNTERS = (
    Counter("BUSY", 16, "cycles in which the array was given a pass"),
    Counter("STALL_RESULT", 18, "cycles in which a tile waited for room on the result side"),
    Counter("STALL_TOKEN", 20, "cycles in which a MULTIPLY waited for a token or for room for one"),
    Counter("IDLE_CYCLES", 22, "all others: no command, one on its way, one that is skipped"),
    Counter("BLOCKS_LOADED", 24, "blocks taken from the load stream"),
    Counter("BEATS_SENT", 26, "beats of results taken from the result stream"),
)


class RegisterMap:
    """All registers of a machine with ``parameters``."""

    def __init__(self, parameters: Parameters) -> None:
        self.slots = parameters.precision.slots
        self.registers = (ID, BUILD_HASH, CONTROL, STATUS, FAULT_INDEX)

    def table_address(self, slot: int) -> int:
        """Address of precision slot ``slot``."""
        return TABLE_BASE + slot

    def markdown(self) -> str:
        """The reference page; ``docs/registers.md`` is this text."""
        lines = [
            "# Registers",
            "",
            "32-bit words, addresses count words. Made from `hw/contract/matrix_registers.py` by "
            "`fractrain generate`; a test fails when this page is not current.",
            "",
            "| address | name | access | bits | meaning |",
            "|---|---|---|---|---|",
        ]
        for register in self.registers:
            lines.append(
                _row(register.address, register.name, register.access, register.description)
            )
            lines += [_field_row(each) for each in register.fields]
        for counter in COUNTERS:
            text = (
                f"{counter.description}; 64 bits, low word first, reading it latches the high word"
            )
            span = f"{counter.address}..{counter.address + 1}"
            lines.append(_row(span, counter.name, Access.READ, text))
        last = f"{TABLE_BASE}+slot"
        lines.append(
            _row(last, "PRECISION", Access.WRITE, "bits of one slot of the precision table")
        )
        lines += [_field_row(each) for each in TABLE_FIELDS]
        return "\n".join([*lines, "", *_fault_table(), ""])


def encode_precision(precision: Precision) -> int:
    """Word of the precision table for ``precision``."""
    return (
        ACTIVATION_BITS.insert(precision.activation)
        | WEIGHT_BITS.insert(precision.weight)
        | ERROR_BITS.insert(precision.error)
    )


def _row(address: int | str, name: str, access: Access, text: str) -> str:
    return f"| {address} | {name} | {access.value} | | {text} |"


def _field_row(each: BitField) -> str:
    top = each.offset + each.width - 1
    bits = f"{top}:{each.offset}" if each.width > 1 else f"{each.offset}"
    return f"| | {each.name} | | {bits} | {each.description} |"


def _fault_table() -> list[str]:
    rows = [f"| {fault.value} | {fault.name} | {fault.description} |" for fault in Fault]
    return ["| cause | name | meaning |", "|---|---|---|", *rows]
