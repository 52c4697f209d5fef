"""The register file: the contract's register map as gateware."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.contract.matrix_registers import (
    ADDRESS_BITS,
    BUILD_HASH,
    CAUSE,
    CLEAR_COUNTERS,
    CONTROL,
    COUNTERS,
    FAULT,
    FAULT_INDEX,
    ID,
    IDENTITY,
    IDLE,
    RESET,
    STATUS,
    TABLE_BASE,
    TABLE_FIELDS,
)
from hw.contract.parameters import Parameters
from hw.sequencer.precision_table import slot_entry

__all__ = ["RegisterFile", "register_bus"]

COUNTER_BITS = 64

register_bus = wiring.Signature(
    {
        "address": Out(ADDRESS_BITS),
        "write": Out(1),
        "write_data": Out(32),
        "read_data": In(32),
    }
)
"""From the master's side; ``address`` counts words, ``read_data`` follows it by one cycle."""


class RegisterFile(wiring.Component):
    """Registers, counters and the write port of the precision table.

    Members
    -------
    bus : In(`register_bus`)
    events : In(one bit per counter)     in the order of `hw.contract.matrix_registers.COUNTERS`
    idle, fault, cause, fault_index : In
    reset : Out(1)                       CONTROL.RESET is being written
    table_write, table_slot, table_entry : Out
    """

    def __init__(self, parameters: Parameters, *, build_hash: int):
        self.parameters, self.build_hash = parameters, build_hash
        super().__init__(
            {
                "bus": In(register_bus),
                "events": In(len(COUNTERS)),
                "idle": In(1),
                "fault": In(1),
                "cause": In(CAUSE.width),
                "fault_index": In(32),
                "reset": Out(1),
                "table_write": Out(1),
                "table_slot": Out(range(max(2, parameters.precision.slots))),
                "table_entry": Out(slot_entry),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        status = Signal(32)
        idle = Signal()
        m.d.sync += idle.eq(self.idle)  # comes from all over the engine, through several levels
        m.d.comb += [
            status[IDLE.offset].eq(idle),
            status[FAULT.offset].eq(self.fault),
            status[CAUSE.offset : CAUSE.offset + CAUSE.width].eq(self.cause),
        ]
        readable = {
            ID.address: IDENTITY,
            BUILD_HASH.address: self.build_hash,
            STATUS.address: status,
            FAULT_INDEX.address: self.fault_index,
        }
        control = self.bus.write & (self.bus.address == CONTROL.address)
        m.d.comb += self.reset.eq(control & self.bus.write_data[RESET.offset])
        clear = control & self.bus.write_data[CLEAR_COUNTERS.offset]
        readable |= self._count(m, clear)
        with m.Switch(self.bus.address):
            for address, value in readable.items():
                with m.Case(address):
                    m.d.sync += self.bus.read_data.eq(value)
            with m.Default():
                m.d.sync += self.bus.read_data.eq(0)
        self._drive_table(m)
        return m

    def _count(self, m: Module, clear: Value) -> dict[int, Value]:
        """The counters; returns what their addresses read."""
        readable: dict[int, Value] = {}
        latched = Signal(32)
        for index, counter in enumerate(COUNTERS):
            total = Signal(COUNTER_BITS, name=counter.name.lower())
            with m.If(clear):
                m.d.sync += total.eq(0)
            with m.Elif(self.events[index]):
                m.d.sync += total.eq(total + 1)
            with m.If(self.bus.address == counter.address):
                m.d.sync += latched.eq(total[32:])
            readable[counter.address] = total[:32]
            readable[counter.address + 1] = latched
        return readable

    def _drive_table(self, m: Module) -> None:
        slot = self.bus.address - TABLE_BASE
        m.d.comb += [
            self.table_write.eq(
                self.bus.write
                & (self.bus.address >= TABLE_BASE)
                & (self.bus.address < TABLE_BASE + self.parameters.precision.slots)
            ),
            self.table_slot.eq(slot[: len(self.table_slot)]),
        ]
        for field in TABLE_FIELDS:
            bits = self.bus.write_data[field.offset : field.offset + field.width]
            m.d.comb += self.table_entry[field.name.lower()].eq(bits)
