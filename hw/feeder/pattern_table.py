"""The pattern table: which words a window is made of, and where they go."""

from amaranth.hdl import Module, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import FIELDS, Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.ram_style import ram_style

__all__ = ["ENTRY", "ENTRY_OFFSET", "PatternTable", "pattern_write"]

READS = ("a", "b")
_FIELDS = FIELDS[Opcode.PATTERN]


def _read(prefix: str) -> data.StructLayout:
    """Fields of one read of a PATTERN, without their prefix."""
    return data.StructLayout(
        {
            name.removeprefix(f"{prefix}_"): (signed if each.signed else unsigned)(each.width)
            for name, each in _FIELDS.items()
            if name.startswith(f"{prefix}_")
        }
    )


ENTRY = data.StructLayout({prefix: _read(prefix) for prefix in READS})
"""An entry: the reads ``a`` and ``b``, with the fields of `Pattern` and their widths."""

ENTRY_OFFSET = _FIELDS["a_enable"].offset
"""Where an entry begins in a PATTERN's command word, which has it in this layout."""

if _FIELDS["b_rotations"].offset + _FIELDS["b_rotations"].width != (ENTRY_OFFSET + ENTRY.size):
    raise AssertionError("the fields of a PATTERN are not in the order of an entry")


def _address_bits(parameters: Parameters) -> int:
    return (parameters.buffers.patterns - 1).bit_length()


def pattern_write(parameters: Parameters) -> data.StructLayout:
    """An entry for the table, if ``valid``."""
    return data.StructLayout({"valid": 1, "address": _address_bits(parameters), "entry": ENTRY})


class PatternTable(wiring.Component):
    """``patterns`` entries.

    Members
    -------
    write : In(pattern_write(parameters))
    advance, address : In    ``advance``: read that entry
    entry : Out(ENTRY)       the one that was read last

    Timing: ``entry`` one cycle after ``address``. An entry can be read in the cycle after its
    write.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        super().__init__(
            {
                "write": In(pattern_write(parameters)),
                "advance": In(1),
                "address": In(_address_bits(parameters)),
                "entry": Out(ENTRY),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.entries = entries = Memory(
            shape=unsigned(ENTRY.size),
            depth=self.parameters.buffers.patterns,
            init=[],
            attrs=ram_style(self.parameters.buffers.patterns),
        )
        write, read = entries.write_port(), entries.read_port()
        m.d.comb += [
            write.en.eq(self.write.valid),
            write.addr.eq(self.write.address),
            write.data.eq(self.write.entry),
            read.en.eq(self.advance),
            read.addr.eq(self.address),
            self.entry.eq(read.data),
        ]
        return m
