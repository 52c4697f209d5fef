"""The command decoder: the one place where a command's precision is looked up."""

from collections.abc import Iterable

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.matrix_commands import (
    COMMAND_BITS,
    LOAD_FIELDS,
    MULTIPLY_FIELDS,
    Fault,
    Field,
    Opcode,
)
from hw.contract.parameters import Parameters
from hw.contract.precision import Operand
from hw.sequencer.precision_table import BITS_WIDTH, slot_entry
from hw.sequencer.tasks import INDEX_BITS, digit_bits, load_task, multiply_task, tail_bits

__all__ = ["CommandDecoder"]


class CommandDecoder(wiring.Component):
    """Turns command words into tasks of the fetch and execute stages, in order.

    Because both stages get their precision here, a table write takes effect between two commands
    and never in the middle of one.

    Members
    -------
    commands : In(stream of 128-bit words)
    read_enable, read_slot : Out, entry : In    port of the precision table
    loads : Out(stream of `load_task`), multiplies : Out(stream of `multiply_task`)
    halt : In(1)        take and pass on no more commands
    fault, index : Out  a `Fault`, and the number of commands since reset before the wrong one
    idle : Out(1)       no command held

    Timing: two cycles from word to task (table, then checks), one command per cycle. A wrong
    command is not passed on and blocks those behind it until reset.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        super().__init__(
            {
                "commands": In(stream.Signature(COMMAND_BITS)),
                "read_enable": Out(1),
                "read_slot": Out(range(max(2, parameters.precision.slots))),
                "entry": In(slot_entry),
                "loads": Out(stream.Signature(load_task(parameters))),
                "multiplies": Out(stream.Signature(multiply_task(parameters))),
                "halt": In(1),
                "fault": Out(8),
                "index": Out(INDEX_BITS),
                "idle": Out(1),
            }
        )
        self.word = Signal(COMMAND_BITS)
        self.held = Signal()
        self.count = Signal(INDEX_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        load_offered, multiply_offered, advance = Signal(), Signal(), Signal()
        is_load = Signal()
        m.d.comb += [
            is_load.eq(self._field(LOAD_FIELDS["opcode"]) == Opcode.LOAD),
            self.loads.valid.eq(load_offered & ~self.halt),
            self.multiplies.valid.eq(multiply_offered & ~self.halt),
            advance.eq(
                (~load_offered | self.loads.ready)
                & (~multiply_offered | self.multiplies.ready)
                & (self.fault == Fault.NONE)
                & ~self.halt
            ),
            self.idle.eq(
                ~self.held & ~load_offered & ~multiply_offered & (self.fault == Fault.NONE)
            ),
            self.commands.ready.eq((~self.held | advance) & ~self.halt),
            self.read_enable.eq(self.commands.ready),
            self.read_slot.eq(_take(self.commands.payload, LOAD_FIELDS["slot"])),
        ]
        with m.If(self.commands.ready):
            m.d.sync += [self.held.eq(self.commands.valid), self.word.eq(self.commands.payload)]
        cause = self._check(m, is_load)
        legal = self.held & (cause == Fault.NONE)
        with m.If(advance):
            m.d.sync += [
                load_offered.eq(legal & is_load),
                multiply_offered.eq(legal & ~is_load),
                self.fault.eq(Mux(self.held, cause, Fault.NONE)),
                self.index.eq(self.count),
                self.count.eq(self.count + legal),
            ]
            self._make_load(m)
            self._make_multiply(m)
        return m

    def _field(self, field: Field) -> Value:
        return _take(self.word, field)

    def _bits(self, m: Module, selector: Field, name: str) -> Signal:
        """Bits that the table gives the operand named by the field ``selector``."""
        bits = Signal(BITS_WIDTH, name=f"{name}_bits")
        with m.Switch(self._field(selector)):
            for operand in Operand:
                with m.Case(operand):
                    m.d.comb += bits.eq(self.entry[operand.name.lower()])
        return bits

    def _check(self, m: Module, is_load: Value) -> Signal:
        """What is wrong with the command at hand."""
        opcode = self._field(LOAD_FIELDS["opcode"])
        slots, limit = self.parameters.precision.slots, self.parameters.precision.max_bits
        too_wide = [self.entry[operand.name.lower()] > limit for operand in Operand]
        selectors = (
            [LOAD_FIELDS["operand"]],
            [
                MULTIPLY_FIELDS["row_operand"],
                MULTIPLY_FIELDS["column_operand"],
            ],
        )
        load_unknown, multiply_unknown = (
            _any(self._field(each) >= len(Operand) for each in fields) for fields in selectors
        )
        cause = Signal(8)
        with m.If((opcode != Opcode.LOAD) & (opcode != Opcode.MULTIPLY)):
            m.d.comb += cause.eq(Fault.OPCODE)
        with m.Elif(
            (self._field(LOAD_FIELDS["slot"]) >= slots)
            | Mux(is_load, load_unknown, multiply_unknown)
        ):
            m.d.comb += cause.eq(Fault.SLOT)
        with m.Elif(_any(too_wide)):
            m.d.comb += cause.eq(Fault.PRECISION)
        with m.Elif(self._field(LOAD_FIELDS["slices"]) == 0):
            m.d.comb += cause.eq(Fault.COUNT)
        return cause

    def _digits(self, bits: Value) -> Value:
        """``ceil(bits / spatial_bits)``; spatial_bits is a power of two."""
        spatial = self.parameters.array.spatial_bits
        return ((bits + (spatial - 1)) >> (spatial.bit_length() - 1))[: digit_bits(self.parameters)]

    def _tail(self, bits: Value) -> Value:
        """Planes in the last digit: ``(bits - 1) % spatial_bits + 1``."""
        spatial = self.parameters.array.spatial_bits
        return (((bits - 1).as_unsigned() & (spatial - 1)) + 1)[: tail_bits(self.parameters)]

    def _make_load(self, m: Module) -> None:
        task = self.loads.payload
        bits = self._bits(m, LOAD_FIELDS["operand"], "load")
        m.d.sync += [task.digits.eq(self._digits(bits)), task.index.eq(self.count)]
        for name in ("wait", "signal", "side", "address", "slices", "slice_stride", "tile_stride"):
            m.d.sync += task[name].eq(self._field(LOAD_FIELDS[name]))

    def _make_multiply(self, m: Module) -> None:
        task = self.multiplies.payload
        for name in ("wait", "signal", "start", "finish", "slices"):
            m.d.sync += task[name].eq(self._field(MULTIPLY_FIELDS[name]))
        empty = []
        for side in ("row", "column"):
            operand: data.View = task[side]
            bits = self._bits(m, MULTIPLY_FIELDS[f"{side}_operand"], side)
            m.d.sync += [operand.digits.eq(self._digits(bits)), operand.tail.eq(self._tail(bits))]
            for name in ("signed", "address", "stride"):
                m.d.sync += operand[name].eq(self._field(MULTIPLY_FIELDS[f"{side}_{name}"]))
            empty.append(bits == 0)
        m.d.sync += [task.skip.eq(_any(empty)), task.index.eq(self.count)]


def _take(word: Value, field: Field) -> Value:
    return word[field.offset : field.offset + field.width]


def _any(conditions: Iterable[Value]) -> Value:
    result: Value = Value.cast(0)
    for condition in conditions:
        result = result | condition
    return result
