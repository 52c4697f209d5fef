"""Between the result stage and a vector unit: its tasks, and its reads of the gradient memory."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Member, Out

from fractrain.hw.contract.commands import Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.flow.layouts import port_beat
from fractrain.hw.flow.tasks import command_view, stage_task

__all__ = ["BeatReads", "UnitTasks", "unit_members"]


def unit_members(parameters: Parameters) -> dict[str, Member]:
    """Of a result stage with a vector unit."""
    words = parameters.buffers.gradient_words
    return {
        "unit_tasks": Out(stream.Signature(stage_task(parameters))),
        "unit_beats": Out(stream.Signature(port_beat(parameters.array))),
        "unit_ended": In(1),
        "beat_reads": In(stream.Signature(range(words))),
        "beat_answer": Out(1),
        "beat": Out(data.ArrayLayout(signed(SUM_BITS), parameters.results_per_beat)),
    }


class UnitTasks(wiring.Component):
    """Every task goes on; NARROW and JOIN that are carried out also to the unit. A task is gone
    when both have taken it.

    Members
    -------
    i : In(stream of `stage_task`), o, unit : Out(stream of `stage_task`)

    Timing: no cycle.
    """

    def __init__(self, parameters: Parameters) -> None:
        task = stream.Signature(stage_task(parameters))
        super().__init__({"i": In(task), "o": Out(task), "unit": Out(task)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        task, given = self.i.payload, []
        store = command_view(Opcode.END, task.command).opcode == Opcode.STORE
        for branch, needless in ((self.o, 0), (self.unit, store | task.skip)):
            before, now = Signal(), Signal()
            m.d.comb += [
                branch.payload.eq(task),
                branch.valid.eq(self.i.valid & ~before & ~needless),
                now.eq(before | needless | branch.ready),
            ]
            m.d.sync += before.eq(self.i.valid & now & ~self.i.ready)
            given.append(now)
        m.d.comb += self.i.ready.eq(given[0] & given[1])
        return m


class BeatReads(wiring.Component):
    """Turns of a reader at the gradient memory: in the place of a beat that does not exist, which
    adds nothing to its word. So it leaves as a sum, three steps later.

    Members
    -------
    step : In(1), begins : In(1)    the pipeline moves on; with a beat
    request : In(1), ready : Out(1) a read; it is in the pipeline with the step
    use : Out(1)                    its word is wanted, a step later
    answer : Out(1)                 the word is there, for a cycle
    """

    def __init__(self) -> None:
        super().__init__(
            {
                **dict.fromkeys(("step", "begins", "request"), In(1)),
                **dict.fromkeys(("ready", "use", "answer"), Out(1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.ready.eq(self.step & ~self.begins)
        used = Signal()
        with m.If(self.step):
            m.d.sync += [self.use.eq(self.request & ~self.begins), used.eq(self.use)]
        m.d.sync += self.answer.eq(self.step & used)
        return m
