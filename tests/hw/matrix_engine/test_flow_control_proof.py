"""Formal, unbounded: no token is lost, and no tile is admitted for which there is no room."""

import pytest
from amaranth.hdl import Assert, Assume, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from hw.contract.matrix_commands import TOKEN_LIMIT
from hw.matrix_engine.result import TileAdmission
from hw.matrix_engine.tokens import IN_STAGE, TokenCounter, TokenGate
from tests.formal.runner import ProofFailed, prove
from tests.hw.machines import machine

TASK = data.StructLayout({"wait": 1, "signal": 1, "content": 2})


class TokenMonitor(wiring.Component):
    """A stage behind its gate, the counter that it gives to and the one that it takes from.

    Behind the gate there are up to `IN_STAGE` tasks at a time, in order, and each ends at any
    time: whatever the register and the stage of the engine do, this does too.
    """

    def __init__(self) -> None:
        super().__init__(
            {"valid": In(1), "task": In(TASK), "ready": In(1), "ends": In(1), "other_gives": In(1)}
        )
        self.given, self.taken = TokenCounter(), TokenCounter()
        self.gate = TokenGate(TASK)
        self.inside = Signal(range(IN_STAGE + 1))
        self.signals = Signal(IN_STAGE)
        """Which of the tasks inside, oldest in bit 0, will give a token."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.given, m.submodules.taken = given, taken = self.given, self.taken
        m.submodules.gate = gate = self.gate
        done = self.ends & (self.inside != 0)
        passed = gate.o.valid & gate.o.ready
        m.d.comb += [
            gate.i.valid.eq(self.valid),
            gate.i.payload.eq(self.task),
            gate.o.ready.eq(self.ready & ((self.inside != IN_STAGE) | done)),
            gate.available.eq(taken.available),
            gate.room.eq(~given.full),
            taken.take.eq(gate.take),
            taken.give.eq(self.other_gives & ~taken.full),
            given.give.eq(done & self.signals[0]),
        ]
        left, remaining = Signal.like(self.inside), Signal.like(self.signals)
        m.d.comb += [left.eq(self.inside - done), remaining.eq(self.signals >> done)]
        m.d.sync += [
            self.inside.eq(left + passed),
            self.signals.eq(remaining | ((passed & self.task.signal) << left)),
        ]
        self._assume_stable(m)
        m.d.comb += [
            Assert(given.count + self._pending() <= TOKEN_LIMIT),
            Assert(~given.give | (given.count != TOKEN_LIMIT)),
            Assert(~taken.take | (taken.count != 0)),
            Assert(~passed | ~self.task.wait | taken.take),
            # the counter's flags say what its count says
            Assert(given.full == (given.count >= TOKEN_LIMIT - IN_STAGE)),
            Assert(taken.available == (taken.count != 0)),
            Assert(taken.full == (taken.count >= TOKEN_LIMIT - IN_STAGE)),
            Assert(self.inside <= IN_STAGE),
            # nothing is remembered of tasks that are not there
            Assert((self.signals >> self.inside) == 0),
        ]
        self._assert_offer_stands(m)
        return m

    def _pending(self) -> Value:
        return sum((self.signals[i] for i in range(1, IN_STAGE)), start=self.signals[0])

    def _assume_stable(self, m: Module) -> None:
        """The queue in front of the gate obeys the stream rules."""
        waiting, before = Signal(), Signal(TASK)
        m.d.sync += [waiting.eq(self.valid & ~self.gate.i.ready), before.eq(self.task)]
        m.d.comb += Assume(~waiting | (self.valid & (self.task == before)))

    def _assert_offer_stands(self, m: Module) -> None:
        """So does the gate; and what it has offered still has its token and its room."""
        offered = Signal()
        m.d.sync += offered.eq(self.gate.o.valid & ~self.gate.o.ready)
        room = self.given.count + self._pending() < TOKEN_LIMIT
        kept = (~self.task.wait | self.taken.available) & (~self.task.signal | room)
        m.d.comb += [Assert(~offered | self.gate.o.valid), Assert(~offered | kept)]


class AdmissionMonitor(wiring.Component):
    """Admissions at any time they are allowed, tiles leaving at any time there are some."""

    def __init__(self) -> None:
        super().__init__({"wants": In(1), "leaves": In(1)})
        self.parameters = machine()
        self.admission = TileAdmission(self.parameters)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.admission = admission = self.admission
        limit, beats = self.parameters.queues.result_tiles, self.parameters.beats_per_tile
        inside = Signal(range(limit + 2))
        since = Signal(range(beats + 1), init=beats)
        admitted, left = self.wants & admission.ready, self.leaves & (inside != 0)
        m.d.comb += [admission.admit.eq(admitted), admission.left.eq(left)]
        m.d.sync += inside.eq(inside + admitted - left)
        with m.If(admitted):
            m.d.sync += since.eq(1)
        with m.Elif(since != beats):
            m.d.sync += since.eq(since + 1)
        m.d.comb += [
            Assert(inside <= limit),
            Assert(~admitted | (since == beats)),
            Assert(admission.empty == (inside == 0)),
            # never refused without cause: there is room and the capture registers are free
            Assert(admission.ready == ((inside != limit) & (since == beats))),
            # the invariant that closes the induction
            Assert(admission.tiles == inside),
            Assert(admission.wait + since == beats),
        ]
        return m


def test_tokens_are_never_lost() -> None:
    prove(TokenMonitor(), "tokens", depth=3)


def test_the_proof_notices_room_for_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hw.matrix_engine.tokens.IN_STAGE", IN_STAGE - 2)
    with pytest.raises(ProofFailed):
        prove(TokenMonitor(), "tokens_broken", depth=3)


def test_admitted_tiles_have_room() -> None:
    prove(AdmissionMonitor(), "admission", depth=3)
