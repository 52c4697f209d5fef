"""The register file: the contract's register map as gateware."""

from functools import reduce
from operator import or_

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import registers as contract
from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.registers import WORD_BITS, Register
from fractrain.hw.control.counters import UNIT_EVENTS, EventCounters, count_layout
from fractrain.hw.control.host_tokens import HOST_COUNT_BITS
from fractrain.hw.control.precision_table import PrecisionTable, slot_entry, table_fields

__all__ = ["RegisterFile", "register_bus"]

ACCESS_CYCLES = 5
WATCHDOG_INIT = 1 << 20

register_bus = wiring.Signature(
    {
        "access": Out(1),
        "write": Out(1),
        "address": Out(contract.ADDRESS_BITS),
        "write_data": Out(WORD_BITS),
        "done": In(1),
        "read_data": In(WORD_BITS),
    }
)
"""From the master's side: ``access`` for one cycle starts one, ``write``, ``address`` (counting
words) and ``write_data`` stay until ``done``, which is one cycle, with ``read_data``."""

SETTINGS = (
    contract.WINDOW_FIRST,
    contract.WINDOW_LAST,
    contract.PROGRAM_ADDRESS,
    contract.PROGRAM_COMMANDS,
    contract.WATCHDOG,
)
UNIT_SETTINGS = (
    contract.SEED_LOW,
    contract.SEED_HIGH,
    contract.STEP_LOW,
    contract.STEP_HIGH,
)
"""With a vector unit."""


class RegisterFile(wiring.Component):
    """Registers, counters, and the precision table.

    Members
    -------
    bus : In(`register_bus`)
    idle, done, failed, draining, cause, fault_index : In     what STATUS and FAULT_INDEX show
    attention : In(1)                 a program has just ended or failed
    cycle, read, written : In         events, see `EventCounters`
    slot : In, entry : Out            the decoder's port of the table
    start, reset : Out(1)             for one cycle; ``start`` only while ``idle``, and not beside
                                      ``reset``
    window_first, window_last, program_address, program_commands, watchdog : Out(32)
    interrupt : Out(1)

    With a vector unit also

    vector_cycle, stash_read, stash_written : In      events
    host_tokens : In(8)               tokens for the host; while there are any, they interrupt
    host_take, host_give : Out(8)     for one cycle: the host takes or gives so many
    seed_low, seed_high, step_low, step_high : Out(32)

    Addresses without a register read 0, and writes to them do nothing. RESET and CLEAR_COUNTERS
    change no register but STATUS and FAULT_INDEX.

    Timing: an access takes `ACCESS_CYCLES`. Clearing the counters takes 32 more, and a START in the
    same write begins after them. An access in the 32 cycles after reset waits until they are over;
    a counter that it reads may be anything.
    """

    def __init__(self, parameters: Parameters, *, build_hash: int):
        self.parameters, self.build_hash = parameters, build_hash
        self.with_unit = parameters.vector is not None
        self.kept = (*SETTINGS, *UNIT_SETTINGS) if self.with_unit else SETTINGS
        entry = slot_entry(parameters)
        unit = {
            **{name: In(count_layout(kind)) for name, kind in UNIT_EVENTS.items()},
            "host_tokens": In(HOST_COUNT_BITS),
            "host_take": Out(HOST_COUNT_BITS),
            "host_give": Out(HOST_COUNT_BITS),
        }
        super().__init__(
            {
                "bus": In(register_bus),
                "idle": In(1),
                "done": In(1),
                "failed": In(1),
                "draining": In(1),
                "cause": In(Fault),
                "fault_index": In(WORD_BITS),
                "attention": In(1),
                "cycle": In(count_layout("cycle")),
                "read": In(count_layout("read")),
                "written": In(count_layout("written")),
                "slot": In(range(max(2, parameters.precision.slots))),
                "entry": Out(entry),
                "start": Out(1),
                "reset": Out(1),
                "interrupt": Out(1),
                **{each.name.lower(): Out(WORD_BITS, init=_init(each)) for each in self.kept},
                **(unit if self.with_unit else {}),
            }
        )
        self.step = Signal(ACCESS_CYCLES)
        """One bit for each cycle of an access."""
        self.pending, self.enabled = Signal(), Signal()
        self.counters = EventCounters(parameters)
        self.table = PrecisionTable(parameters)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.counters, m.submodules.table = self.counters, self.table
        clearing = Signal()
        writing = Signal()
        m.d.comb += writing.eq(self.step[0] & self.bus.write)
        with m.If(self.bus.access):
            m.d.sync += self.step.eq(1)
        with m.Else():
            m.d.sync += self.step.eq(self.step << 1)
        # a write that clears the counters is done when they are
        m.d.sync += self.bus.done.eq((self.step[-1] | clearing) & ~self.counters.clearing)
        m.d.sync += clearing.eq((self.step[-1] | clearing) & self.counters.clearing)
        self._control(m, writing)
        self._settings(m, writing)
        self._interrupt(m, writing)
        if self.with_unit:
            self._meet_host(m, writing)
        self._table(m, writing)
        self._count(m)
        self._read(m)
        return m

    def _selected(self, register: Register) -> Value:
        return self.bus.address == register.address

    def _control(self, m: Module, writing: Value) -> None:
        word = self.bus.write_data
        control, wanted = Signal(), Signal()
        start, reset, clear = (
            word[field.offset]
            for field in (contract.START, contract.RESET, contract.CLEAR_COUNTERS)
        )
        m.d.sync += [
            control.eq(writing & self._selected(contract.CONTROL)),
            self.reset.eq(control & reset),
            self.counters.clear.eq(control & clear),
            self.start.eq(wanted & self.bus.done),
        ]
        with m.If(control):
            m.d.sync += wanted.eq(start & ~reset & self.idle)
        with m.Elif(self.bus.done):
            m.d.sync += wanted.eq(0)

    def _settings(self, m: Module, writing: Value) -> None:
        for register in self.kept:
            with m.If(writing & self._selected(register)):
                m.d.sync += getattr(self, register.name.lower()).eq(self.bus.write_data)

    def _interrupt(self, m: Module, writing: Value) -> None:
        clear = writing & self._selected(contract.INTERRUPT) & self.bus.write_data[0]
        with m.If(self.attention):
            m.d.sync += self.pending.eq(1)
        with m.Elif(clear):
            m.d.sync += self.pending.eq(0)
        with m.If(writing & self._selected(contract.INTERRUPT_ENABLE)):
            m.d.sync += self.enabled.eq(self.bus.write_data[0])
        attention = self.pending | self.host_tokens.any() if self.with_unit else self.pending
        m.d.sync += self.interrupt.eq(attention & self.enabled)

    def _meet_host(self, m: Module, writing: Value) -> None:
        """Numbers that eight bits do not hold are more than there can be."""
        word = self.bus.write_data
        number = word[:HOST_COUNT_BITS] | word[HOST_COUNT_BITS:].any().replicate(HOST_COUNT_BITS)
        for register, amount in (
            (contract.HOST_TOKENS, self.host_take),
            (contract.HOST_GIVE, self.host_give),
        ):
            m.d.sync += amount.eq(Mux(writing & self._selected(register), number, 0))

    def _table(self, m: Module, writing: Value) -> None:
        table = self.table
        slot = self.bus.address - contract.TABLE_BASE
        m.d.comb += [
            table.write.eq(writing & self._in_table()),
            table.write_slot.eq(slot[: len(table.write_slot)]),
            table.shown_slot.eq(slot[: len(table.shown_slot)]),
            table.slot.eq(self.slot),
            self.entry.eq(table.entry),
        ]
        for field in table_fields(self.parameters):
            bits = self.bus.write_data[field.offset : field.offset + field.width]
            m.d.comb += table.write_entry[field.name.lower()].eq(bits)

    def _in_table(self) -> Value:
        first = contract.TABLE_BASE
        return (self.bus.address >= first) & (
            self.bus.address < first + self.parameters.precision.slots
        )

    def _count(self, m: Module) -> None:
        """Which counter an address names: see `Counter.address`."""
        address, counters = self.bus.address, self.counters
        offset = address - contract.COUNTER_BASE
        tag_bits, number_bits = len(counters.tag), len(counters.number)
        first_tag_bit = (contract.COUNTER_TAG_STRIDE - 1).bit_length()
        m.d.sync += [
            counters.tag.eq(offset[first_tag_bit : first_tag_bit + tag_bits]),
            counters.number.eq(offset[1 : 1 + number_bits]),
        ]
        m.d.comb += [
            counters.cycle.eq(self.cycle),
            counters.read.eq(self.read),
            counters.written.eq(self.written),
            *(getattr(counters, name).eq(getattr(self, name)) for name in counters.unit),
        ]

    def _is_counter(self) -> Value:
        address = self.bus.address
        stride = contract.COUNTER_TAG_STRIDE
        first = contract.COUNTER_BASE // stride
        block = address[(stride - 1).bit_length() :]
        return (
            (block >= first)
            & (block < first + (1 << len(self.counters.tag)))
            & ~address[1 + len(self.counters.number) : (stride - 1).bit_length()].any()
        )

    def _read(self, m: Module) -> None:
        """Each group of registers picks its word, then the group is picked."""
        from_register = Signal(WORD_BITS)
        high = Signal(WORD_BITS)
        is_counter, in_table = Signal(), Signal()
        m.d.sync += [is_counter.eq(self._is_counter()), in_table.eq(self._in_table())]
        words = []
        for register, value in self._readable().items():
            chosen = Signal(name=f"reads_{register.name.lower()}")
            m.d.sync += chosen.eq(self._selected(register))
            words.append(Mux(chosen, value, 0))
        m.d.sync += from_register.eq(reduce(or_, words))
        with m.If(self.step[-1]):
            with m.If(is_counter):
                value = self.counters.value
                odd = self.bus.address[0]
                m.d.sync += self.bus.read_data.eq(Mux(odd, high, value[:WORD_BITS]))
                with m.If(~odd & ~self.bus.write):
                    m.d.sync += high.eq(value[WORD_BITS:])
            with m.Elif(in_table):
                m.d.sync += self.bus.read_data.eq(self._shown_entry())
            with m.Else():
                m.d.sync += self.bus.read_data.eq(from_register)

    def _readable(self) -> dict[Register, Value]:
        status: Value = Const(0, WORD_BITS)
        for field, value in (
            (contract.IDLE, self.idle),
            (contract.DONE, self.done),
            (contract.FAULT, self.failed),
            (contract.DRAINING, self.draining),
            (contract.CAUSE, self.cause),
        ):
            status = status | (value << field.offset)
        pending: Value = self.pending
        unit: dict[Register, Value] = {}
        if self.with_unit:
            host = Value.cast(self.host_tokens.any()) << contract.HOST_PENDING.offset
            pending = pending | host
            unit[contract.HOST_TOKENS] = self.host_tokens
        return {
            contract.ID: Const(contract.IDENTITY, WORD_BITS),
            contract.BUILD_HASH: Const(self.build_hash, WORD_BITS),
            contract.STATUS: status,
            contract.FAULT_INDEX: self.fault_index,
            contract.INTERRUPT: pending,
            contract.INTERRUPT_ENABLE: self.enabled,
            **{register: getattr(self, register.name.lower()) for register in self.kept},
            **unit,
        }

    def _shown_entry(self) -> Value:
        word: Value = Const(0, WORD_BITS)
        for field in table_fields(self.parameters):
            word = word | (self.table.shown[field.name.lower()] << field.offset)
        return word


def _init(register: Register) -> int:
    """What the register holds after power-up."""
    return WATCHDOG_INIT if register is contract.WATCHDOG else 0
