"""Formal, unbounded: a step goes on once, with all it needs, and nothing is asked for in vain."""

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from fractrain.hw.contract.commands import Earlier
from fractrain.hw.vector.result_issue import MOST_LINES, ResultIssue, beyond_memory
from fractrain.hw.vector.result_layouts import result_step, result_task
from tests.formal.runner import ProofFailed, prove, refute
from tests.hw.vector.machines import machine_with_unit

P = machine_with_unit(staging_words=100, side_words=64)
ROOM = "a line has room"


class IssueMonitor(wiring.Component):
    """Any steps, beats, grants. Its books: which lines of the step on offer were granted, and how
    many lines are under way, whether their steps are on offer or still to be."""

    def __init__(self) -> None:
        self.issue = ResultIssue(P)
        super().__init__(
            {
                "task": In(result_task()),
                "step": In(result_step(P)),
                "valid": In(1),
                "enters": In(1),
                "beat": In(1),
                "ready": In(2),
                "left": In(1),
                "stop": In(1),
            }
        )
        self.had = [Signal(name=f"book_{number}") for number in range(2)]
        self.lines = Signal(range(MOST_LINES + 2))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.issue = issue = self.issue
        reads = (issue.staging_reads, issue.side_reads)
        m.d.comb += [
            Assume(self.step.beyond == beyond_memory(P, self.task, self.step)),
            issue.steps.valid.eq(self.valid),
            issue.steps.payload.eq(self.step),
            issue.beat.eq(self.beat),
            issue.left.eq(self.left),
            issue.enters.eq(self.enters),
            issue.ends_beat.eq(self.valid & self.step.beat_ends),
            Assume(~self.enters | issue.room),
            issue.stop.eq(self.stop),
            Assume(~self.left | (self.lines != 0)),
        ]
        for number, each in enumerate(reads):
            m.d.comb += each.ready.eq(self.ready[number])
        self._keep_books(m, reads)
        self._assume_offers_stay(m)
        self._claim(m, reads)
        self._reach(m)
        return m

    def _keep_books(self, m: Module, reads: tuple) -> None:
        issue = self.issue
        for had, each in zip(self.had, reads, strict=True):
            with m.If(issue.fires):
                m.d.sync += had.eq(0)
            with m.Elif(each.valid & each.ready):
                m.d.sync += had.eq(1)
        m.d.sync += self.lines.eq(self.lines + self.enters - self.left)

    def _assume_offers_stay(self, m: Module) -> None:
        """A step until it goes on, a beat until it is taken; ``stop`` until reset."""
        issue = self.issue
        waits, beat, stop = Signal(), Signal(), Signal()
        step, task = Signal.like(self.step), Signal.like(self.task)
        m.d.sync += [
            waits.eq(self.valid & ~issue.fires),
            beat.eq(self.beat & ~issue.taken),
            stop.eq(self.stop),
            step.eq(self.step),
            task.eq(self.task),
        ]
        m.d.comb += [
            Assume(~waits | (self.valid & (self.step == step) & (self.task == task))),
            Assume(~beat | self.beat),
            Assume(~stop | self.stop),
        ]

    def _claim(self, m: Module, reads: tuple) -> None:
        issue, step, task = self.issue, self.step, self.task
        needs = (step.reads, step.reads_side)
        places, words = (step.source, step.side), (100, 64)
        m.d.comb += [
            Assert(~issue.fires | (self.valid & self.beat & ~self.stop), "a step that is there"),
            Assert(issue.steps.ready == issue.fires),
            Assert(
                self.stop
                | issue.beyond
                | ((issue.taken & self.beat) == (issue.fires & step.beat_ends)),
                "a beat until its last step",
            ),
            Assert(issue.under_way == self.lines),
            Assert(issue.room == (self.lines != MOST_LINES)),
            Assert(self.lines <= MOST_LINES, ROOM),
        ]
        granted: Value = self.valid & self.beat & ~self.stop
        for number, (had, each, need, place, count) in enumerate(
            zip(self.had, reads, needs, places, words, strict=True)
        ):
            now = each.valid & each.ready
            offered = Signal(name=f"offered_{count}")
            m.d.sync += offered.eq(each.valid & ~each.ready)
            m.d.comb += [
                Assert(~each.valid | (need & ~had), "each line once"),
                Assert(~each.valid | (place < count), "no line beyond the memory"),
                Assert(~each.valid | (each.payload == place >> 1)),
                Assert(~issue.fires | ~need | had | now, "with all its lines"),
                Assert(~offered | self.stop | each.valid, "an offer stays"),
                # ties its own to the books, so that induction closes
                Assert(self.issue.had[number] == had),
            ]
            granted = granted & (~need | had | each.ready)
        last = step.target | task.part
        part = step.reads & step.earlier & (task.earlier == Earlier.PART)
        m.d.comb += [
            Assert(~(issue.fires & step.writes) | (last < 100), "nothing is written beyond it"),
            Assert(~(issue.fires & step.writes & task.part) | ~step.target[0]),
            Assert(~(issue.fires & part) | ~step.source[0]),
            Assert(issue.fires == (granted & ~issue.beyond), "nobody waits without need"),
            Assert(~issue.beyond | self.valid),
        ]

    def _reach(self, m: Module) -> None:
        issue, step = self.issue, self.step
        m.d.comb += [
            Cover(issue.fires & self.had[0] & ~self.had[1] & step.reads_side),
            Cover(issue.fires & self.had[1] & ~self.had[0] & step.reads),
            Cover(issue.beyond & self.beat),
            Cover(issue.fires & self.left & (self.lines == 3) & step.complete),
            Cover(issue.taken & ~self.beat, "a beat may go before it is there"),
        ]


def test_a_step_goes_on_once_with_all_it_needs() -> None:
    prove(IssueMonitor(), "result_issue", depth=2)


def test_the_proof_is_not_of_nothing() -> None:
    prove(IssueMonitor(), "result_issue_cover", depth=8, mode="cover")


def test_the_proof_notices_a_line_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fractrain.hw.vector.result_issue.MOST_LINES", MOST_LINES + 1)
    with pytest.raises(ProofFailed, match="result_issue_broken"):
        prove(IssueMonitor(), "result_issue_broken", depth=2)


def test_the_proof_notices_a_line_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tests.hw.vector.test_result_issue_proof.beyond_memory",
        lambda parameters, task, step: step.source >= 101,
    )
    refute(IssueMonitor(), "result_issue_beyond", "no line beyond the memory", depth=4)
