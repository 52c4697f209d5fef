"""What can be wrong with a command, judged by the command alone."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import (
    COMMAND_BITS,
    FIELDS,
    GROUP_BITS,
    NO_GROUP,
    Format,
    Memory,
    Opcode,
    RowPixels,
)
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import MAX_BITS, Operand
from fractrain.hw.control.unit_checks import SLOT_FIELDS, unit_conditions
from fractrain.hw.flow.parties import parties
from fractrain.hw.flow.tasks import command_view

__all__ = ["CommandChecks"]


class CommandChecks(wiring.Component):
    """Checks everything about ``command`` that does not depend on its precision.

    Members
    -------
    command : In(256)
    is_opcode : Out(one bit per opcode of the machine's `Parties`)    in their order; none: unknown
    bad_slot : Out(1)     slot or operand do not exist; of every opcode
    bad_count : Out(1)    a count of 0, or an entry, format, group or token that does not exist

    A token bit that does not exist at the command's stage (`Parties.wait`, `Parties.signal`; END
    has none) counts as ``bad_count``. The entries of ``groups`` that a LOAD to the column memory or
    a MOVE uses must be groups or `NO_GROUP`, and its ``words`` at most
    `Parameters.column_word_parts`; ``bits`` of a STORE is 1..16 if its format is PLANES. For
    commands of a vector unit see `unit_conditions`.

    Timing: two cycles behind ``command``.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        self.parties = parties(parameters)
        super().__init__(
            {
                "command": In(COMMAND_BITS),
                "is_opcode": Out(len(self.parties.opcodes)),
                "bad_slot": Out(1),
                "bad_count": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        is_opcode = Signal(len(self.parties.opcodes))
        bad_slot = Signal()
        bad = []
        for index, opcode in enumerate(self.parties.opcodes):
            counts = [name for name, each in FIELDS[opcode].items() if each.count]
            m.d.sync += is_opcode[index].eq(self._field(Opcode.END, "opcode") == opcode)
            conditions = [
                *(self._field(opcode, name) == 0 for name in counts),
                self._bad_tokens(opcode),
                *self._special(opcode),
            ]
            found = Signal(len(conditions), name=f"bad_{opcode.name.lower()}")
            m.d.sync += found.eq(Cat(conditions))
            bad.append(found.any() & is_opcode[index])
        m.d.sync += [
            bad_slot.eq(self._bad_slot()),
            self.is_opcode.eq(is_opcode),
            self.bad_slot.eq(self._with_further_slots(m, bad_slot, is_opcode)),
            self.bad_count.eq(Cat(bad).any()),
        ]
        return m

    def _field(self, opcode: Opcode, name: str) -> Value:
        return command_view(opcode, self.command)[name]

    def _bad_slot(self) -> Value:
        header = Opcode.END
        return (
            (self._field(header, "slot") >= self.parameters.precision.slots)
            | (self._field(header, "operand") >= len(Operand))
            | (self._field(header, "partner") >= len(Operand))
        )

    def _with_further_slots(self, m: Module, bad_slot: Value, is_opcode: Value) -> Value:
        """``bad_slot``, and the slots that only some commands have."""
        slots = self.parameters.precision.slots
        for index, opcode in enumerate(self.parties.opcodes):
            names = [name for name in SLOT_FIELDS if name in FIELDS[opcode]]
            if names:
                found = Signal(len(names), name=f"bad_slots_{opcode.name.lower()}")
                m.d.sync += found.eq(Cat(self._field(opcode, name) >= slots for name in names))
                bad_slot = bad_slot | (found.any() & is_opcode[index])
        return bad_slot

    def _bad_tokens(self, opcode: Opcode) -> Value:
        """Bits that name a stage with which the command's own has no tokens."""
        stage = opcode.stage
        waits, signals = (
            (0, 0)
            if stage is None
            else (len(self.parties.wait[stage]), len(self.parties.signal[stage]))
        )
        wait, signal = self._field(opcode, "wait"), self._field(opcode, "signal")
        return Cat(wait[waits:], signal[signals:]).any()

    def _special(self, opcode: Opcode) -> list[Value]:
        patterns = self.parameters.buffers.patterns
        match opcode:
            case Opcode.LOAD:
                columns = self._field(opcode, "memory") == Memory.COLUMNS
                too_many = self._field(opcode, "words") > self.parameters.column_word_parts
                return [columns & too_many, *(columns & bad for bad in self._bad_groups(opcode))]
            case Opcode.MOVE:
                too_many = self._field(opcode, "words") > self.parameters.column_word_parts
                return [too_many, *self._bad_groups(opcode)]
            case Opcode.PATTERN:
                return [self._field(opcode, "entry") >= patterns]
            case Opcode.CONVOLVE:
                end = self._field(opcode, "pattern") + self._field(opcode, "pairs")
                return [end > patterns, self._field(opcode, "row_pixels") >= len(RowPixels)]
            case Opcode.STORE:
                form, bits = self._field(opcode, "format"), self._field(opcode, "bits")
                narrowed = (form == Format.PLANES) & ((bits == 0) | (bits > MAX_BITS))
                row_pixels = self._field(opcode, "row_pixels") >= len(RowPixels)
                return [form >= len(Format), narrowed, row_pixels]
        return unit_conditions(opcode, self.command, self.parameters)

    def _bad_groups(self, opcode: Opcode) -> list[Value]:
        """For each half-block that ``words`` (if that is good) has, whether its group is bad."""
        groups = self._field(opcode, "groups")
        most = self.parameters.column_word_parts
        words = self._field(opcode, "words")[: most.bit_length()]
        bad = []
        for half in range(2 * most):
            entry = groups.word_select(half, GROUP_BITS)
            exists = (entry < self.parameters.lane_groups) | (entry == NO_GROUP)
            bad.append((words > half // 2) & ~exists)
        return bad
