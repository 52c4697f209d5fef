"""From command words to what the line path takes."""

from collections.abc import Iterable

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.commands import COMMAND_BITS, Fault, Opcode, Second
from fractrain.hw.contract.precision import MAX_BITS
from fractrain.hw.flow.tasks import ENTRY_OF_SHAPES, command_view
from fractrain.hw.vector.line_layouts import line_task
from fractrain.hw.vector.shape_table import ShapeTable

__all__ = ["LineDecoder", "found_command"]

KINDS = (Opcode.NORMALIZE, Opcode.FORM, Opcode.RECOMPUTE, Opcode.CARRY, Opcode.APPLY)
"""What becomes a task."""


def found_command() -> data.StructLayout:
    """A command and what the precision table says of its slots.

    bits : of its operand; kept_bits : of the x̂ that it reads or makes, 0 for none
    form_bits : of the activations that it makes; masked : its mask counts
    """
    return data.StructLayout(
        {
            "command": COMMAND_BITS,
            "bits": range(MAX_BITS + 1),
            "kept_bits": range(numerics.MAX_INNER_BITS + 1),
            "form_bits": range(numerics.MAX_ACTIVATION_BITS + 1),
            "masked": 1,
        }
    )


class LineDecoder(wiring.Component):
    """Keeps the shape table; derives a `line_task` of NORMALIZE, FORM, RECOMPUTE, CARRY, APPLY.

    Members
    -------
    commands : In(stream of `found_command`)     of these, or SHAPE; counts and bits have been
                         checked, none is skipped
    tasks : Out(stream of `line_task`)
    shaped : Out(1)      a SHAPE has ended
    fault : Out(Fault)   for a cycle, and the command is dropped: COUNT for a shape that was not
                         written

    Timing: a command in every `INTERVAL_CYCLES`, its task `latency_cycles` later.
    """

    INTERVAL_CYCLES = 3
    latency_cycles = 3

    def __init__(self) -> None:
        super().__init__(
            {
                "commands": In(stream.Signature(found_command())),
                "tasks": Out(stream.Signature(line_task())),
                "shaped": Out(1),
                "fault": Out(Fault),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.shapes = shapes = ShapeTable()
        held, there = Signal(found_command(), reset_less=True), Signal()
        shape = command_view(Opcode.SHAPE, held.command)
        # one-hot beside the command: a level less behind it
        is_shape = Signal(reset_less=True)
        kinds = {each: Signal(name=f"is_{each.name.lower()}", reset_less=True) for each in KINDS}
        given = command_view(Opcode.SHAPE, self.commands.payload.command).opcode
        # what the word says; then, with an entry that is known, what the table says
        said = {name: of for name, of in line_task().members.items() if name != "entry"}
        derived, entry = Signal(data.StructLayout(said)), Signal.like(shapes.entry)
        task = Signal(data.StructLayout(said), reset_less=True)
        looks, leaves = Signal(), Signal()
        free = ~self.tasks.valid | self.tasks.ready
        faulty = ~shapes.written
        m.d.comb += [
            self.commands.ready.eq(~there),
            leaves.eq(looks & (is_shape | free)),
            shapes.write.valid.eq(looks & is_shape),
            shapes.write.entry.eq(shape.entry),
            *(
                shapes.write.content[name].eq(shape[name])
                for name in shapes.write.content.shape().members
            ),
        ]
        with m.If(self.commands.valid & ~there):
            m.d.sync += [
                held.eq(self.commands.payload),
                there.eq(1),
                is_shape.eq(given == Opcode.SHAPE),
                *(kind.eq(given == each) for each, kind in kinds.items()),
            ]
        with m.Elif(leaves):
            m.d.sync += there.eq(0)
        m.d.sync += [
            looks.eq(there & ~leaves),
            task.eq(derived),
            shapes.entry.eq(entry),
            self.shaped.eq(looks & is_shape),
            self.fault.eq(Mux(leaves & ~is_shape & faulty, Fault.COUNT, Fault.NONE)),
        ]
        with m.If(free):
            m.d.sync += [
                self.tasks.valid.eq(looks & ~is_shape & ~faulty),
                *(self.tasks.payload[name].eq(task[name]) for name in said),
                self.tasks.payload.entry.eq(shapes.shape),
            ]
        says = {each: self._fields(each, command_view(each, held.command), held) for each in kinds}
        for name, into in (("entry", entry), *((name, derived[name]) for name in said)):
            of_kinds = [(kinds[each], of[name]) for each, of in says.items() if name in of]
            m.d.comb += into.eq(_one_of(of_kinds))
        return m

    def _fields(
        self, opcode: Opcode, command: data.View, held: data.View
    ) -> dict[str, Value | int]:
        """Those that are not 0."""
        make = {
            Opcode.NORMALIZE: self._normalize,
            Opcode.FORM: self._form,
            Opcode.RECOMPUTE: self._recompute,
            Opcode.CARRY: self._carry,
            Opcode.APPLY: self._apply,
        }
        return {"entry": command[ENTRY_OF_SHAPES]} | make[opcode](command, held)

    @staticmethod
    def _normalize(command: data.View, held: data.View) -> dict[str, Value | int]:
        names = ("source", "destination", "chunk", "stash")
        return {name: command[name] for name in names} | {
            "normalizes": 1,
            "wide": 1,
            "outer": 1,
            "normalized_bits": numerics.WIDE_BITS,
            "kept_bits": held.kept_bits,
            "residual_bits": numerics.MIN_RESIDUAL_BITS,
            "writes_staging": 1,
            "stash_normalized": command.stashed,
        }

    @staticmethod
    def _form(command: data.View, held: data.View) -> dict[str, Value | int]:
        names = (
            "source norm chunk second_record planes stash pool peak residual_bits planed pooled "
            "stash_mask stash_activations stash_residual"
        ).split()
        residual = command.second == Second.RESIDUAL
        return {name: command[name] for name in names} | {
            "normalizes": command.normalized,
            "wide": command.end,
            "outer": command.end,
            "normalized_bits": Mux(command.end, numerics.WIDE_BITS, held.kept_bits),
            "kept_bits": held.kept_bits,
            "bits": held.form_bits,
            "residual": residual,
            "shortcut": command.second == Second.SHORTCUT,
            "copies": residual & ~command.normalized,
            "raises": command.normalized | ~residual,
            "second_source": command.second_address,
            "side_source": command.second_address,
            "writes_side": command.kept,
            "side_destination": command.side,
            "stash_normalized": command.stash_normalized & command.normalized,
        }

    @staticmethod
    def _recompute(command: data.View, held: data.View) -> dict[str, Value | int]:
        return {
            "recomputes": 1,
            "copies": 1,
            "planed": 1,
            "writes_side": 1,
            "normalized_bits": held.kept_bits,
            "bits": held.form_bits,
            "residual_bits": numerics.MIN_RESIDUAL_BITS,
            "side_source": command.side,
            "side_destination": command.side,
            "norm": command.norm,
            "planes": command.planes,
        }

    @staticmethod
    def _carry(command: data.View, held: data.View) -> dict[str, Value | int]:
        return {
            "carries": 1,
            "spreads": command.spread,
            "residual_bits": numerics.MIN_RESIDUAL_BITS,
            "source": command.source,
            "destination": command.destination,
            "second_record": command.scale,
            "masked": held.masked,
            "reads_side": held.masked | command.totals,
            "side_source": command.side_address,
        }

    @staticmethod
    def _apply(command: data.View, held: data.View) -> dict[str, Value | int]:
        names = ("source", "chunk", "planes", "tensor", "first_image", "peak")
        return {name: command[name] for name in names} | {
            "applies": 1,
            "planed": 1,
            "raises": 1,
            "outer": command.end,
            "kept_bits": held.kept_bits,
            "error_bits": held.bits,
            "residual_bits": numerics.MIN_RESIDUAL_BITS,
            "side_source": command.side,
        }


def _one_of(choices: Iterable[tuple[Value, Value | int]]) -> Value:
    """The value whose flag is set; 0 if none is."""
    chosen: Value = Const(0)
    for flag, given in choices:
        value = Value.cast(given)
        chosen = chosen | Mux(flag, value, 0)
    return chosen
