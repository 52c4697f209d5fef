"""What a command for a vector unit finds in its further slots of the precision table."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import COMMAND_BITS, FIELDS, HEADER, Opcode, Recalled
from fractrain.hw.contract.numerics import (
    MAX_ACTIVATION_BITS,
    MAX_ERROR_BITS,
    MAX_INNER_BITS,
    MAX_OUTER_BITS,
    MAX_WEIGHT_BITS,
    MIN_NORMALIZED_BITS,
)
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.control.precision_table import slot_entry
from fractrain.hw.flow.tasks import FORM_BITS, KEPT_BITS, command_view

__all__ = ["SlotLookup"]

FIRST = ("kept_slot", "mask_slot")
SECOND = "form_slot"
USERS = tuple(each for each in FIELDS if {*FIRST, SECOND} & FIELDS[each].keys())
"""Commands with further slots: each has one of `FIRST`, some the second, too."""


class SlotLookup(wiring.Component):
    """Reads up to two further slots of a command, and says what the unit does not take.

    Members
    -------
    command : In(256)
    slotted : Out(1)           the command has further slots
    first, second : Out        their numbers; ``second`` is anything if there is one
    entry : In(`slot_entry`), take_first, take_second : In(1)
        the table's answer for that slot is here
    operand_bits : In(5)       of ``operand``
    kept_bits : Out(4)         of the x̂ that the command reads or makes, INNER or OUTER; 0 if none
    form_bits : Out(4)         of the activations that it makes; 0 if none
    masked : Out(1)            a mask is applied
    refused : Out(1)           bits that the unit does not take: x̂ outside 4..11 inside, 4..8 at a
                               block's end, RECALL: above ``side_bits``; activations and weights
                               above 8, errors above 12

    Timing: ``slotted``, ``first`` and ``second`` two cycles behind ``command``; of the rest, what
    an entry says in the cycle behind its ``take``, the rest at once.
    """

    def __init__(self, parameters: Parameters) -> None:
        assert parameters.vector is not None
        self.side_bits = parameters.vector.side_bits
        slot = range(max(2, parameters.precision.slots))
        entry = slot_entry(parameters)
        super().__init__(
            {
                "command": In(COMMAND_BITS),
                "slotted": Out(1),
                "first": Out(slot),
                "second": Out(slot),
                "entry": In(entry),
                "take_first": In(1),
                "take_second": In(1),
                "operand_bits": In(entry["activation"].shape),
                "kept_bits": Out(KEPT_BITS),
                "form_bits": Out(FORM_BITS),
                "masked": Out(1),
                "refused": Out(1),
            }
        )
        watched = (*USERS, Opcode.QUANTIZE)
        self.is_opcode = {each: Signal(name=f"is_{each.name.lower()}") for each in watched}
        self.kept, self.end = Signal(), Signal()
        """There is an x̂ of that slot; at a block's end."""
        self.recalls, self.forms, self.masks = Signal(), Signal(), Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        opcode = self.command[HEADER["opcode"].offset :][: HEADER["opcode"].width]
        m.d.sync += [each.eq(opcode == number) for number, each in self.is_opcode.items()]
        m.d.sync += [
            self.slotted.eq(Cat(self.is_opcode[each] for each in USERS).any()),
            self.first.eq(self._field(*FIRST)),
            self.second.eq(self._field(SECOND)),
        ]
        self._classify(m)
        self._take(m)
        return m

    def _of(self, opcode: Opcode, name: str) -> Value:
        """A field, 0 if the command is another."""
        value = Value.cast(command_view(opcode, self.command)[name])
        return value & self.is_opcode[opcode].replicate(len(value))

    def _field(self, *names: str) -> Value:
        """The field of one of these names, whichever the command has."""
        total: Value | None = None
        for opcode in USERS:
            for name in names:
                if name in FIELDS[opcode]:
                    value = self._of(opcode, name)
                    total = value if total is None else total | value
        assert total is not None
        return total

    def _classify(self, m: Module) -> None:
        """Which entry the command needs, from its flags."""
        kind = command_view(Opcode.RECALL, self.command).kind
        recall = self.is_opcode[Opcode.RECALL]
        form = command_view(Opcode.FORM, self.command)
        always = self.is_opcode[Opcode.APPLY] | self.is_opcode[Opcode.RECOMPUTE]
        m.d.sync += [
            self.kept.eq(
                always
                | (recall & (kind != Recalled.RESIDUAL))
                | self._of(Opcode.CHANNEL, "backward")
                | self._of(Opcode.NORMALIZE, "stashed")
                | (self._of(Opcode.FORM, "normalized") & (~form.end | form.stash_normalized))
            ),
            self.end.eq(
                self.is_opcode[Opcode.NORMALIZE]
                | (recall & (kind == Recalled.END))
                | self._of(Opcode.CHANNEL, "end")
                | self._of(Opcode.APPLY, "end")
                | self._of(Opcode.FORM, "end")
            ),
            self.recalls.eq(recall),
            self.forms.eq(self.is_opcode[Opcode.FORM] | self.is_opcode[Opcode.RECOMPUTE]),
            self.masks.eq(self._of(Opcode.JOIN, "masked") | self._of(Opcode.CARRY, "masked")),
        ]

    def _take(self, m: Module) -> None:
        entry, bits = self.entry, Signal(KEPT_BITS)
        most = Mux(self.end, MAX_OUTER_BITS, MAX_INNER_BITS)
        beyond = self.recalls & (bits > self.side_bits)
        kept_bits, form_bits, masked = Signal(KEPT_BITS), Signal(FORM_BITS), Signal()
        kept_refused, form_refused = Signal(), Signal()
        m.d.comb += bits.eq(Mux(self.end, entry.outer, entry.inner))
        with m.If(self.take_first):
            m.d.sync += [
                kept_bits.eq(Mux(self.kept, bits, 0)),
                kept_refused.eq(
                    self.kept & ((bits < MIN_NORMALIZED_BITS) | (bits > most) | beyond)
                ),
                masked.eq(self.masks & (entry.activation != 0)),
            ]
        with m.If(self.take_second):
            m.d.sync += [
                form_bits.eq(Mux(self.forms, entry.activation, 0)),
                form_refused.eq(self.forms & (entry.activation > MAX_ACTIVATION_BITS)),
            ]
        wide = [
            self.is_opcode[opcode] & (self.operand_bits > most)
            for opcode, most in (
                (Opcode.APPLY, MAX_ERROR_BITS),
                (Opcode.QUANTIZE, MAX_WEIGHT_BITS),
            )
        ]
        m.d.comb += [
            self.kept_bits.eq(Mux(self.slotted, kept_bits, 0)),
            self.form_bits.eq(Mux(self.slotted, form_bits, 0)),
            self.masked.eq(self.slotted & masked),
            self.refused.eq((self.slotted & (kept_refused | form_refused)) | Cat(wide).any()),
        ]
