"""Formal, unbounded: in the whole network of stages no token is lost or made, and a task is held
back only as long as a token that it waits for, or the room for one, does not exist."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Cover, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from fractrain.hw.contract.commands import (
    COMMAND_BITS,
    ENGINE_SIGNAL,
    ENGINE_STAGES,
    ENGINE_WAIT,
    HEADER,
    TOKEN_LIMIT,
    Stage,
)
from fractrain.hw.control.tokens import CHANNELS, TokenCounter, TokenGate, TokenNetwork
from tests.formal.runner import prove, refute

TASK = data.StructLayout({"command": COMMAND_BITS})
CONSERVED = "tokens that were promised are there or will be"
LIMITED = "no more tokens than the limit"
TAKEN = "no token is taken that is not there"
ONCE = "a token is taken for each task that waits for it"
PROMPT = "nobody is held back without cause"

FEW = 2
"""Tokens at most, where a proof has to reach the limit."""

INSIDE = 4
"""Tasks at work in a stage at a time; which number it is, no assertion depends on."""


class StageModel:
    """A stage as the network sees it: tasks go in and end in order, at any time."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.inside = Signal(range(INSIDE + 1), name=f"inside_{stage.name}")
        self.signals = [
            Signal(INSIDE, name=f"signals_{stage.name}_{target.name}")
            for target in ENGINE_SIGNAL[stage]
        ]
        """For every target, which of the tasks inside, oldest in bit 0, will give it a token."""

    def pending(self, target: Stage) -> Value:
        bits = self.signals[ENGINE_SIGNAL[self.stage].index(target)]
        return sum((bits[i] for i in range(1, INSIDE)), start=bits[0])


class NetworkMonitor(wiring.Component):
    """The network, with stages and decoder that do whatever the stream rules allow."""

    def __init__(self) -> None:
        self.network = TokenNetwork(TASK)
        self.stages = [StageModel(stage) for stage in ENGINE_STAGES]
        super().__init__(
            {
                "valid": In(len(ENGINE_STAGES)),
                "task": In(TASK).array(len(ENGINE_STAGES)),
                "ready": In(len(ENGINE_STAGES)),
                "ends": In(len(ENGINE_STAGES)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.network = self.network
        for model in self.stages:
            self._run(m, model)
        for channel in CHANNELS:
            self._check_channel(m, *channel)
        for stage in ENGINE_STAGES:
            self._check_gate(m, stage)
        return m

    def _run(self, m: Module, model: StageModel) -> None:
        """Feed the gate, take its tasks in, and end them."""
        network, stage = self.network, model.stage
        source, sink = network.i[stage], network.o[stage]
        done = self.ends[stage] & (model.inside != 0)
        passed = sink.valid & sink.ready
        signal = _signal(sink.payload.command)
        left = Signal.like(model.inside, name=f"left_{stage.name}")
        m.d.comb += [
            source.valid.eq(self.valid[stage]),
            source.payload.eq(self.task[stage]),
            sink.ready.eq(self.ready[stage] & (model.inside != INSIDE)),
            network.ended[stage].eq(Cat(bits[0] & done for bits in model.signals)),
            left.eq(model.inside - done),
            Assert(model.inside <= INSIDE),
        ]
        m.d.sync += model.inside.eq(left + passed)
        for index, bits in enumerate(model.signals):
            m.d.sync += bits.eq((bits >> done) | ((passed & signal[index]) << left))
            m.d.comb += Assert((bits >> model.inside) == 0)
        waiting, before = Signal(), Signal(TASK)
        m.d.sync += [waiting.eq(source.valid & ~source.ready), before.eq(source.payload)]
        m.d.comb += Assume(~waiting | (source.valid & (source.payload == before)))

    def _check_channel(self, m: Module, source: Stage, target: Stage) -> None:
        """Tokens that exist or will: given, on the way to the counter, of tasks inside, and of the
        task that the gate has let pass and the stage not yet taken."""
        counter = self.network.counters[source, target]
        gate = self.network.gates[source]
        index, taken = ENGINE_SIGNAL[source].index(target), ENGINE_WAIT[target].index(source)
        offered = gate.o.valid & _signal(gate.o.payload.command)[index]
        promised = self.stages[source].pending(target) + counter.give + offered
        wanted = gate.promise[index]
        m.d.comb += [
            # reserved = waiting + promised, but for the promise that is on its way to the counter
            Assert(counter.reserved + wanted == counter.waiting + promised, CONSERVED),
            Assert(counter.waiting <= TOKEN_LIMIT, LIMITED),
            Assert(counter.reserved + wanted <= TOKEN_LIMIT, LIMITED),
            Assert(~counter.take | (counter.waiting != 0), TAKEN),
            Assert(~counter.give | (counter.waiting != TOKEN_LIMIT)),
            Assert(counter.available == (counter.waiting != 0)),
            Assert(counter.room == (counter.reserved != TOKEN_LIMIT)),
            # a token is taken for a task that passes, once, and for no other
            Assert(
                counter.take
                == (self._first_offered(m, target) & _wait(self._at_gate(target))[taken]),
                ONCE,
            ),
            # lest the proof be of nothing: all tokens that there may be, and one that comes as
            # another goes
            Cover(counter.waiting == TOKEN_LIMIT, f"{source.name} {target.name} full"),
            Cover(counter.give & counter.take, f"{source.name} {target.name} at once"),
        ]

    def _at_gate(self, stage: Stage) -> Value:
        return self.network.gates[stage].o.payload.command

    def _first_offered(self, m: Module, stage: Stage) -> Value:
        """The gate's task passes: it is offered for the first cycle."""
        gate = self.network.gates[stage]
        before = Signal()
        m.d.sync += before.eq(gate.o.valid & ~gate.o.ready)
        return gate.o.valid & ~before

    def _check_gate(self, m: Module, stage: Stage) -> None:
        """No deadlock but of the program's own making: who is held back for more than one cycle
        lacks a token that nobody has given, or the room that the limit allows."""
        network, gate = self.network, self.network.gates[stage]
        lacking = [
            wait_bit & (network.counters[source, stage].waiting == 0)
            for wait_bit, source in zip(
                _wait(self._at_gate(stage)), ENGINE_WAIT[stage], strict=False
            )
        ]
        full = [
            signal_bit & (network.counters[stage, target].reserved == TOKEN_LIMIT)
            for signal_bit, target in zip(
                _signal(self._at_gate(stage)), ENGINE_SIGNAL[stage], strict=False
            )
        ]
        waits = Signal()
        offered, before = Signal(), Signal(TASK)
        m.d.sync += [
            offered.eq(gate.o.valid & ~gate.o.ready),
            before.eq(gate.o.payload),
            waits.eq(gate.held & ~gate.o.valid & ~Cat(*lacking, *full).any()),
        ]
        m.d.comb += [
            Assert(~waits | gate.o.valid, PROMPT),
            Assert(~(gate.o.valid & gate.blocked)),
            Assert(~offered | (gate.o.valid & (gate.o.payload == before))),
        ]
        self._reach(m, stage, Cat(*lacking).any(), Cat(*full).any())

    def _reach(self, m: Module, stage: Stage, lacks: Value, no_room: Value) -> None:
        """Lest the proof be of nothing: a task that was held back for a token, one that was for
        room, and each has passed after that."""
        gate = self.network.gates[stage]
        for reason, holds in (("token", lacks), ("room", no_room)):
            if reason == "token" and not ENGINE_WAIT[stage]:
                continue
            held = Signal(name=f"{stage.name}_was_held_for_{reason}")
            with m.If(gate.blocked & holds):
                m.d.sync += held.eq(1)
            with m.Elif(gate.o.valid & gate.o.ready):
                m.d.sync += held.eq(0)
            m.d.comb += Cover(gate.o.valid & gate.o.ready & held, f"{stage.name} {reason}")


def _wait(command: Value) -> Value:
    return command[HEADER["wait"].offset :][: HEADER["wait"].width]


def _signal(command: Value) -> Value:
    return command[HEADER["signal"].offset :][: HEADER["signal"].width]


def test_no_token_is_lost_and_no_task_held_back_without_cause() -> None:
    prove(NetworkMonitor(), "token_network", depth=3)


def limits(monkeypatch: pytest.MonkeyPatch, network: int, monitor: int) -> None:
    """Of tokens: in the network, and as the monitor knows it."""
    monkeypatch.setattr("fractrain.hw.control.tokens.TOKEN_LIMIT", network)
    monkeypatch.setattr(f"{__name__}.TOKEN_LIMIT", monitor)


def test_the_proof_is_not_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch, FEW, FEW)
    prove(NetworkMonitor(), "token_network_cover", depth=24, mode="cover")


# -- the proof notices what it is for ---------------------------------------------------------


def refused(claim: str) -> None:
    refute(NetworkMonitor(), "token_network_broken", claim, depth=24)


def test_one_too_many_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch, FEW + 1, FEW)
    refused(LIMITED)


def test_a_token_that_is_lost_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes as another goes."""
    elaborate = TokenCounter.elaborate

    def losing(self: TokenCounter, platform: object) -> Module:
        m = elaborate(self, platform)
        with m.If(self.give & self.take):
            m.d.sync += self.waiting.eq(self.waiting - 1)
        return m

    monkeypatch.setattr(TokenCounter, "elaborate", losing)
    refused(CONSERVED)


def test_a_task_that_does_not_wait_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    elaborate = TokenGate.elaborate

    def hasty(self: TokenGate, platform: object) -> Module:
        self.available = Const((1 << self.waits) - 1, self.waits)  # whatever the counters say
        return elaborate(self, platform)

    monkeypatch.setattr(TokenGate, "elaborate", hasty)
    refused(TAKEN)


def test_a_token_that_is_not_taken_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    elaborate = TokenGate.elaborate

    def generous(self: TokenGate, platform: object) -> Module:
        m = elaborate(self, platform)
        m.d.sync += self.take.eq(0)
        return m

    monkeypatch.setattr(TokenGate, "elaborate", generous)
    refused(ONCE)


def test_a_task_that_is_held_back_for_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one goes as one too many would have to."""
    limits(monkeypatch, FEW, FEW + 1)
    refused(PROMPT)
