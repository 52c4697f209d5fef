"""What can be wrong with a command, judged by the command alone."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import (
    COMMAND_BITS,
    ENGINE_OPCODES,
    ENGINE_SIGNAL,
    ENGINE_WAIT,
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
from fractrain.hw.flow.tasks import command_view

__all__ = ["CommandChecks"]


class CommandChecks(wiring.Component):
    """Checks everything about ``command`` that does not depend on its precision.

    Members
    -------
    command : In(256)
    is_opcode : Out(one bit per `ENGINE_OPCODES`)    in their order; none: unknown
    bad_slot : Out(1)     slot or operand do not exist; of every opcode
    bad_count : Out(1)    a count of 0, or an entry, format, group or token that does not exist

    A token bit that does not exist at the command's stage (`ENGINE_WAIT`, `ENGINE_SIGNAL`; END has
    none) counts as ``bad_count``. The entries of ``groups`` that a LOAD to the column memory uses
    must be groups or `NO_GROUP`, and its ``words`` at most `Parameters.column_word_parts`; ``bits``
    of a STORE is 1..16 if its format is PLANES.

    Timing: two cycles behind ``command``.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        super().__init__(
            {
                "command": In(COMMAND_BITS),
                "is_opcode": Out(len(ENGINE_OPCODES)),
                "bad_slot": Out(1),
                "bad_count": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        is_opcode = Signal(len(ENGINE_OPCODES))
        bad_slot = Signal()
        bad = []
        for index, opcode in enumerate(ENGINE_OPCODES):
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
            self.bad_slot.eq(bad_slot),
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

    def _bad_tokens(self, opcode: Opcode) -> Value:
        """Bits that name a stage with which the command's own has no tokens."""
        stage = opcode.stage
        waits, signals = (
            (0, 0) if stage is None else (len(ENGINE_WAIT[stage]), len(ENGINE_SIGNAL[stage]))
        )
        wait, signal = self._field(opcode, "wait"), self._field(opcode, "signal")
        return Cat(wait[waits:], signal[signals:]).any()

    def _special(self, opcode: Opcode) -> list[Value]:
        patterns = self.parameters.buffers.patterns
        match opcode:
            case Opcode.LOAD:
                columns = self._field(opcode, "memory") == Memory.COLUMNS
                too_many = self._field(opcode, "words") > self.parameters.column_word_parts
                return [columns & too_many, *(columns & bad for bad in self._bad_groups())]
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
        return []

    def _bad_groups(self) -> list[Value]:
        """For each half-block that ``words`` (if that is good) has, whether its group is bad."""
        groups = self._field(Opcode.LOAD, "groups")
        most = self.parameters.column_word_parts
        words = self._field(Opcode.LOAD, "words")[: most.bit_length()]
        bad = []
        for half in range(2 * most):
            entry = groups.word_select(half, GROUP_BITS)
            exists = (entry < self.parameters.lane_groups) | (entry == NO_GROUP)
            bad.append((words > half // 2) & ~exists)
        return bad
