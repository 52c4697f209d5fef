"""The precision table: slot → bits of activations, weights and errors, writable while running.

With a vector unit also the bits of x̂ inside a block and at its end.
"""

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.registers import TABLE_FIELDS, VECTOR_TABLE_FIELDS, BitField
from fractrain.hw.flow.ram_style import DISTRIBUTED

__all__ = ["PrecisionTable", "slot_entry", "table_fields"]


def table_fields(parameters: Parameters) -> tuple[BitField, ...]:
    """Fields of a table entry as software sees it."""
    return TABLE_FIELDS if parameters.vector is None else (*TABLE_FIELDS, *VECTOR_TABLE_FIELDS)


def slot_entry(parameters: Parameters) -> data.StructLayout:
    """One entry, from the operands of `hw.contract.precision.Operand` on, in order; 0 bits skip."""
    return data.StructLayout({each.name.lower(): each.width for each in table_fields(parameters)})


class PrecisionTable(wiring.Component):
    """``slots`` entries, anything until they are written; no reset changes them.

    Members
    -------
    write, write_slot, write_entry : In
    slot : In, entry : Out(`slot_entry`)              for the decoder
    shown_slot : In, shown : Out(`slot_entry`)        for the register file

    Timing: ``entry`` and ``shown`` belong to the slot of the cycle before; a write is seen by
    reads from the next cycle on. Slots beyond the table read as anything.
    """

    def __init__(self, parameters: Parameters):
        self.slots = parameters.precision.slots
        self.entry_layout = slot_entry(parameters)
        slot = range(max(2, self.slots))
        super().__init__(
            {
                "write": In(1),
                "write_slot": In(slot),
                "write_entry": In(self.entry_layout),
                "slot": In(slot),
                "entry": Out(self.entry_layout),
                "shown_slot": In(slot),
                "shown": Out(self.entry_layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self.entry_layout, depth=self.slots, init=[], attrs=DISTRIBUTED
        )
        write = memory.write_port()
        m.d.comb += [
            write.en.eq(self.write),
            write.addr.eq(self.write_slot),
            write.data.eq(self.write_entry),
        ]
        for slot, entry in ((self.slot, self.entry), (self.shown_slot, self.shown)):
            # read at once and then into a register: a few LUTs instead of two block RAMs
            read = memory.read_port(domain="comb")
            m.d.comb += read.addr.eq(slot)
            m.d.sync += entry.eq(read.data)
        return m
