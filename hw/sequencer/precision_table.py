"""The precision table: slot → bits of activations, weights and errors, writable while running."""

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.contract.parameters import Parameters

__all__ = ["PrecisionTable", "slot_entry"]

BITS_WIDTH = 5

slot_entry = data.StructLayout(
    {"activation": BITS_WIDTH, "weight": BITS_WIDTH, "error": BITS_WIDTH}
)
"""One entry, in the order of `hw.contract.precision.Operand`; 0 bits skip."""


class PrecisionTable(wiring.Component):
    """``slots`` entries, one write and one read port. All entries are 0 (skip) after power-up.

    Members
    -------
    write_enable, write_slot, write_entry : In
    read_enable, read_slot : In
    entry : Out(`slot_entry`)

    Timing: ``entry`` belongs to the ``read_slot`` of the last cycle with ``read_enable``; a write
    is seen by reads from the next cycle on.
    """

    def __init__(self, parameters: Parameters):
        self.slots = parameters.precision.slots
        slot = range(max(2, self.slots))
        super().__init__(
            {
                "write_enable": In(1),
                "write_slot": In(slot),
                "write_entry": In(slot_entry),
                "read_enable": In(1),
                "read_slot": In(slot),
                "entry": Out(slot_entry),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=slot_entry, depth=self.slots, init=[])
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_slot),
            write.data.eq(self.write_entry),
            read.en.eq(self.read_enable),
            read.addr.eq(self.read_slot),
            self.entry.eq(read.data),
        ]
        return m
