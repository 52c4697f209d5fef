"""When a step of NARROW or JOIN goes on."""

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Earlier
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.memory.line_memory import pair_count
from fractrain.hw.vector.memories import vector_parameters
from fractrain.hw.vector.result_layouts import result_step

__all__ = ["MOST_LINES", "ResultIssue", "beyond_memory"]

MOST_LINES = 32
"""Lines between their step, as it comes, and the staging memory. An interleaved tile of four rows
may have lines that the tile before has; then at least 4 · C lines come in between, and all of them
are in the memory before the first is read."""


def beyond_memory(parameters: Parameters, task: data.View, step: data.View) -> Value:
    """What is to be ``beyond`` of a `result_step`."""
    sizes = vector_parameters(parameters)
    from_part = step.earlier & (task.earlier == Earlier.PART)
    return (
        (step.reads & (step.source >= sizes.staging_words))
        | (step.reads & from_part & step.source[0])
        | (step.reads_side & (step.side >= sizes.side_words))
        | (step.writes & (step.target >= sizes.staging_words))
        | (step.writes & task.part & step.target[0])
    )


class ResultIssue(wiring.Component):
    """Asks for a step's lines, and lets it go on when its beat is there and its lines are granted,
    of each memory in its own cycle. There is room for the results of all steps that come here.

    Members
    -------
    steps : In(stream of `result_step`)
    room : Out(1)             a step may come
    enters : In(1)            a complete step comes, to be on offer later
    ends_beat : In(1)         there is a step on offer, and no other one needs its beat
    beat : In(1)              the sums of the step's beat are there, until they are ``taken``
    taken : Out(1)            they may go: if they are there, the last step that needs them goes on;
                              after ``stop`` and behind a step that is ``beyond`` they go, too
    staging_reads, side_reads : Out(stream of a pair's address)
    fires : Out(1)            the step goes on
    left : In(1)              the line of a complete step has left for the memory
    under_way : Out           lines of complete steps that came and have not left, `MOST_LINES` at
                              most
    beyond : Out(1)           the step is ``beyond``: nothing is asked for, and it stays
    stop : In(1)              ask for nothing and let nothing go on, until reset

    Timing: a step a cycle; combinational from grant to ``fires`` and ``taken``, and ``taken`` does
    not depend on ``beat``.
    """

    def __init__(self, parameters: Parameters) -> None:
        sizes = vector_parameters(parameters)
        staging, side = (pair_count(words) for words in (sizes.staging_words, sizes.side_words))
        super().__init__(
            {
                "steps": In(stream.Signature(result_step(parameters))),
                "room": Out(1, init=1),
                "enters": In(1),
                "ends_beat": In(1),
                "beat": In(1),
                "taken": Out(1),
                "staging_reads": Out(stream.Signature(range(staging))),
                "side_reads": Out(stream.Signature(range(side))),
                "fires": Out(1),
                "left": In(1),
                "under_way": Out(range(MOST_LINES + 1)),
                "beyond": Out(1),
                "stop": In(1),
            }
        )
        self.had = [Signal(name=f"had_{name}") for name in ("staging", "side")]
        """A line of the step was granted in a cycle before."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        step, asks = self.steps.payload, Signal()
        m.d.comb += [
            self.beyond.eq(self.steps.valid & step.beyond),
            asks.eq(self.steps.valid & self.beat & ~self.beyond & ~self.stop),
        ]
        granted: Value = Const(1, 1)
        for had, reads, wanted, place in (
            (self.had[0], self.staging_reads, step.reads, step.source),
            (self.had[1], self.side_reads, step.reads_side, step.side),
        ):
            m.d.comb += [reads.valid.eq(asks & wanted & ~had), reads.payload.eq(place >> 1)]
            with m.If(self.fires):
                m.d.sync += had.eq(0)
            with m.Elif(reads.valid & reads.ready):
                m.d.sync += had.eq(1)
            granted = granted & (~wanted | had | reads.ready)
        m.d.comb += [
            self.fires.eq(asks & granted),
            self.steps.ready.eq(self.fires),
            self.taken.eq(self.ends_beat & granted),
        ]
        with m.If(self.enters & ~self.left):
            m.d.sync += [
                self.under_way.eq(self.under_way + 1),
                self.room.eq(self.under_way != MOST_LINES - 1),
            ]
        with m.Elif(~self.enters & self.left):
            m.d.sync += [self.under_way.eq(self.under_way - 1), self.room.eq(1)]
        return m
