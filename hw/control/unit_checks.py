"""What can be wrong with a command for a vector unit, beside what can be with any."""

from amaranth.hdl import Value

from fractrain.hw.contract.commands import (
    FIELDS,
    Earlier,
    Opcode,
    Recalled,
    RowPixels,
    Second,
)
from fractrain.hw.contract.numerics import (
    MAX_CHUNK_PIXELS,
    MAX_RESIDUAL_BITS,
    MIN_RESIDUAL_BITS,
)
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.tasks import command_view

__all__ = ["SLOT_FIELDS", "unit_conditions"]

SLOT_FIELDS = ("kept_slot", "form_slot", "mask_slot")
"""Slots of a command beside that of its header."""

CODES = {"row_pixels": RowPixels, "kind": Recalled, "earlier": Earlier, "second": Second}
"""Fields with codes that mean nothing."""


def unit_conditions(opcode: Opcode, command: Value, parameters: Parameters) -> list[Value]:
    """Each a reason for COUNT: codes of nothing, pixels and residual bits out of their range."""
    fields, vector = command_view(opcode, command), parameters.vector
    found: list[Value] = [
        fields[name] >= len(codes) for name, codes in CODES.items() if name in FIELDS[opcode]
    ]
    match opcode:
        case Opcode.CHANNEL:
            found.append(fields.pixels > MAX_CHUNK_PIXELS)
        case Opcode.RECALL:
            residual = fields.kind == Recalled.RESIDUAL
            assert vector is not None
            found.append(residual & _outside(fields.bits, vector.side_bits))
        case Opcode.FORM:
            bits = fields.residual_bits
            here = fields.kept | (fields.second == Second.RESIDUAL)
            found.append(_outside(bits, MAX_RESIDUAL_BITS))
            assert vector is not None
            found.append(here & _outside(bits, vector.side_bits))
    return found


def _outside(bits: Value, most: int) -> Value:
    """No number of bits of a residual, of ``most`` bits at most."""
    return (bits < MIN_RESIDUAL_BITS) | (bits > most)
