"""Commands of the vector stage that work on memory, as they come to the units that do them.

Each has its fields and its index; what the decoder looks up beside them is said at each. A skipped
command does not come here.
"""

from amaranth.lib import data

from fractrain.hw.contract.commands import FIELDS, HEADER, Opcode
from fractrain.hw.contract.numerics import MAX_WEIGHT_BITS
from fractrain.hw.flow.tasks import INDEX_BITS, field_bits

__all__ = ["quantize_task", "report_task", "spill_task", "update_task"]


def _task(opcode: Opcode, **looked_up: int | range) -> data.StructLayout:
    names = [name for name in FIELDS[opcode] if name not in HEADER]
    return data.StructLayout({"index": INDEX_BITS, **field_bits(opcode, *names), **looked_up})


def spill_task() -> data.StructLayout:
    return _task(Opcode.SPILL)


def report_task() -> data.StructLayout:
    return _task(Opcode.REPORT)


def quantize_task() -> data.StructLayout:
    """``bits``: of the weight, 1 or more."""
    return _task(Opcode.QUANTIZE, bits=range(MAX_WEIGHT_BITS + 1))


def update_task() -> data.StructLayout:
    """``absent``: operand or partner have 0 bits."""
    return _task(Opcode.UPDATE, absent=1)
