"""Where the words of a SET, FILL or RECALL go."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Member, Out

from fractrain.hw.contract.commands import FIELDS, Fault, Opcode, Recalled
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.fetch.kinds import Kind
from fractrain.hw.flow.layouts import CHIP_ADDRESS_BITS
from fractrain.hw.flow.tasks import command_view

__all__ = ["STRIDE", "report", "target_members", "unit_target", "unit_target_of"]

STRIDE = "destination_run_stride"


def unit_target() -> data.StructLayout:
    """What the write side needs of a SET, FILL or RECALL.

    destination : first record or line
    destination_run_stride : FILL: lines from a run to the next
    outer : runs or groups of channels
    count : words, lines of a run or blocks of a group
    planes : RECALL: planes without the mask
    masked : RECALL: the mask's plane comes, too
    skip : nothing comes
    """
    return data.StructLayout(
        {
            "destination": CHIP_ADDRESS_BITS,
            STRIDE: FIELDS[Opcode.FILL][STRIDE].width,
            "outer": FIELDS[Opcode.RECALL]["channel_groups"].width,
            "count": FIELDS[Opcode.RECALL]["blocks"].width,
            "planes": FIELDS[Opcode.RECALL]["bits"].width,
            "masked": 1,
            "skip": 1,
        }
    )


def unit_target_of(entry: data.View) -> dict[str, Value]:
    """The `unit_target` of a `kind_task`."""
    task, kinds = entry.task, entry.kinds
    records, fill, recall = (
        command_view(each, task.command) for each in (Opcode.SET, Opcode.FILL, Opcode.RECALL)
    )
    sets, fills = kinds[Kind.SET.value], kinds[Kind.FILL.value]

    def choose(of_set: Value, of_fill: Value, of_recall: Value) -> Value:
        return Mux(sets, of_set, Mux(fills, of_fill, of_recall))

    return {
        "destination": choose(records.destination, fill.destination, recall.destination),
        STRIDE: fill[STRIDE],
        "outer": choose(Value.cast(1), fill.runs, recall.channel_groups),
        "count": choose(records.words, fill.lines, recall.blocks),
        "planes": Mux(recall.kind == Recalled.RESIDUAL, recall.bits, task.kept_bits),
        "masked": recall.masked,
        "skip": task.skip,
    }


def target_members(parameters: Parameters, write: data.StructLayout) -> dict[str, Member]:
    """Members of a component that carries such a target out.

    targets : In(stream of `unit_target`)    stays on offer until the task has ended
    words : In(stream of words)
    writes : Out(stream of ``write``)
    taken : Out(1)      a word is taken in this cycle
    ends : Out(1)       the task has ended: its last write has been taken
    fault : Out(Fault)  ADDRESS for a cycle: a write beyond the memory. Neither it nor any after it
                        is done, and no more words are taken
    halt : In(1)        take no more words
    """
    return {
        "targets": In(stream.Signature(unit_target())),
        "words": In(stream.Signature(8 * parameters.word_bytes)),
        "writes": Out(stream.Signature(write)),
        "taken": Out(1),
        "ends": Out(1),
        "fault": Out(Fault),
        "halt": In(1),
    }


def report(m: Module, refused: Value, fault: Value) -> None:
    """ADDRESS for a cycle, when ``refused`` for the first time."""
    failed = Signal()
    m.d.sync += fault.eq(Mux(refused & ~failed, Fault.ADDRESS, Fault.NONE))
    with m.If(refused):
        m.d.sync += failed.eq(1)
