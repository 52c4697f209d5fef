"""Formal, unbounded: in the whole network of stages no token is lost or made, and a task is held
back only as long as a token that it waits for, or the room for one, does not exist. Of the three
stages of a machine, and of the four and the host of one with a vector unit."""

from collections.abc import Collection

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Cover, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from fractrain.hw.contract.commands import (
    COMMAND_BITS,
    HEADER,
    TOKEN_LIMIT,
    Stage,
)
from fractrain.hw.control.host_tokens import HOST_COUNT_BITS, HostInbox, HostOutbox
from fractrain.hw.control.tokens import TokenCounter, TokenGate, TokenNetwork
from fractrain.hw.flow.parties import ENGINE, WITH_VECTOR, Parties
from tests.formal.runner import prove, refute

TASK = data.StructLayout({"command": COMMAND_BITS})
CONSERVED = "tokens that were promised are there or will be"
LIMITED = "no more tokens than the limit"
TAKEN = "no token is taken that is not there"
ONCE = "a token is taken for each task that waits for it"
PROMPT = "nobody is held back without cause"
BY_HOST = "the host takes what is there of what it wants"
FROM_HOST = "what the host gives is there up to the limit"

MACHINES = pytest.mark.parametrize("of", [ENGINE, WITH_VECTOR], ids=["engine", "with_vector"])

FEW = 2
"""Tokens at most, where a proof has to reach the limit."""

INSIDE = 4
"""Tasks at work in a stage at a time; which number it is, no assertion depends on."""


class StageModel:
    """A stage as the network sees it: tasks go in and end in order, at any time."""

    def __init__(self, stage: Stage, of: Parties) -> None:
        self.stage, self.targets = stage, of.signal[stage]
        self.inside = Signal(range(INSIDE + 1), name=f"inside_{stage.name}")
        self.signals = [
            Signal(INSIDE, name=f"signals_{stage.name}_{target.name}") for target in self.targets
        ]
        """For every target, which of the tasks inside, oldest in bit 0, will give it a token."""

    def pending(self, target: Stage) -> Value:
        bits = self.signals[self.targets.index(target)]
        return sum((bits[i] for i in range(1, INSIDE)), start=bits[0])


class NetworkMonitor(wiring.Component):
    """The network, with stages, a decoder and a host that do whatever the stream rules allow.

    ``active`` : nothing is asked of any other stage, and covers are of these
    """

    def __init__(self, of: Parties = ENGINE, active: Collection[Stage] | None = None) -> None:
        self.of = of
        self.active = of.stages if active is None else active
        self.network = TokenNetwork(TASK, of)
        self.stages = [StageModel(stage, of) for stage in of.stages]
        stages = len(of.stages)
        super().__init__(
            {
                "valid": In(stages),
                "task": In(TASK).array(stages),
                "ready": In(stages),
                "ends": In(stages),
                "host_take": In(HOST_COUNT_BITS),
                "host_give": In(HOST_COUNT_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.network = self.network
        for model in self.stages:
            self._run(m, model)
        for channel in self.of.channels:
            self._check_channel(m, *channel)
        if self.of.host:
            m.d.comb += [
                self.network.host_take.eq(self.host_take),
                self.network.host_give.eq(self.host_give),
            ]
            self._check_inbox(m)
            self._check_outbox(m)
        for stage in self.of.stages:
            self._check_gate(m, stage)
            if stage not in self.active:
                m.d.comb += Assume(~self.valid[stage])
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
        taken = self.of.wait[target].index(source)
        promised, wanted = self._promised(source, target, counter.give)
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
        ]
        if source in self.active and target in self.active:
            # lest the proof be of nothing: all tokens that there may be, and one that comes as
            # another goes
            m.d.comb += [
                Cover(counter.waiting == TOKEN_LIMIT, f"{source.name} {target.name} full"),
                Cover(counter.give & counter.take, f"{source.name} {target.name} at once"),
            ]

    def _promised(self, source: Stage, target: Stage, give: Value) -> tuple[Value, Value]:
        """Tokens on the way to a counter, and a promise on the way to it."""
        gate, index = self.network.gates[source], self.of.signal[source].index(target)
        offered = gate.o.valid & _signal(gate.o.payload.command)[index]
        return self.stages[source].pending(target) + give + offered, gate.promise[index]

    def _check_inbox(self, m: Module) -> None:
        """As a channel, but that the host takes whatever number it likes."""
        inbox = self.network.inbox
        (source,) = self.of.wait[Stage.HOST]
        promised, wanted = self._promised(source, Stage.HOST, inbox.give)
        before, given, asked = Signal(9), Signal(), Signal.like(self.host_take)
        started = Signal()
        m.d.sync += [
            started.eq(1),
            before.eq(inbox.waiting),
            given.eq(inbox.give),
            asked.eq(self.host_take),
        ]
        left = Mux(asked > before, 0, before - asked)
        m.d.comb += [
            Assert(inbox.reserved + wanted == inbox.waiting + promised, CONSERVED),
            Assert(inbox.waiting <= TOKEN_LIMIT, LIMITED),
            Assert(inbox.reserved + wanted <= TOKEN_LIMIT, LIMITED),
            Assert(~inbox.give | (inbox.waiting != TOKEN_LIMIT)),
            Assert(inbox.room == (inbox.reserved != TOKEN_LIMIT)),
            Assert(self.network.host_tokens == inbox.waiting),
            Assert(~started | (inbox.waiting == left + given), BY_HOST),
        ]
        if source in self.active:
            more = (asked > before) & given & (before != 0)
            m.d.comb += [
                Cover(inbox.waiting == TOKEN_LIMIT, "tokens for the host full"),
                Cover((asked == 2) & (before == 2), "several at once"),
                Cover(more, "more than there are, as one comes"),
            ]

    def _check_outbox(self, m: Module) -> None:
        outbox = self.network.outbox
        (target,) = self.of.signal[Stage.HOST]
        taken = self.of.wait[target].index(Stage.HOST)
        before, given, took = Signal(10), Signal.like(self.host_give), Signal()
        started = Signal()
        m.d.sync += [
            started.eq(1),
            before.eq(outbox.waiting),
            given.eq(self.host_give),
            took.eq(outbox.take),
        ]
        total = before + given - took
        more = before + given > TOKEN_LIMIT + took
        m.d.comb += [
            Assert(outbox.waiting <= TOKEN_LIMIT, LIMITED),
            Assert(~outbox.take | (outbox.waiting != 0), TAKEN),
            Assert(outbox.available == (outbox.waiting != 0)),
            Assert(~started | (outbox.waiting == Mux(more, TOKEN_LIMIT, total)), FROM_HOST),
            Assert(
                outbox.take
                == (self._first_offered(m, target) & _wait(self._at_gate(target))[taken]),
                ONCE,
            ),
        ]
        if target in self.active:
            m.d.comb += [
                Cover(more & took, "more from the host than there may be"),
                Cover((given == 2) & (before == 0), "several from the host"),
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
        sources = {**network.counters, (Stage.HOST, Stage.FETCH): network.outbox}
        targets = {**network.counters, (Stage.VECTOR, Stage.HOST): network.inbox}
        lacking = [
            wait_bit & (sources[source, stage].waiting == 0)
            for wait_bit, source in zip(
                _wait(self._at_gate(stage)), self.of.wait[stage], strict=False
            )
        ]
        full = [
            signal_bit & (targets[stage, target].reserved == TOKEN_LIMIT)
            for signal_bit, target in zip(
                _signal(self._at_gate(stage)), self.of.signal[stage], strict=False
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
            if stage not in self.active or (reason == "token" and not self.of.wait[stage]):
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


@MACHINES
def test_no_token_is_lost_and_no_task_held_back_without_cause(of: Parties) -> None:
    prove(NetworkMonitor(of), f"token_network_{len(of.stages)}", depth=3)


def limits(monkeypatch: pytest.MonkeyPatch, network: int, monitor: int) -> None:
    """Of tokens: in the network, and as the monitor knows it."""
    monkeypatch.setattr("fractrain.hw.control.tokens.TOKEN_LIMIT", network)
    monkeypatch.setattr("fractrain.hw.control.host_tokens.TOKEN_LIMIT", network)
    monkeypatch.setattr(f"{__name__}.TOKEN_LIMIT", monitor)


@pytest.mark.parametrize(
    ("of", "active"),
    [
        (ENGINE, ENGINE.stages),
        (WITH_VECTOR, ENGINE.stages),
        *((WITH_VECTOR, (stage, Stage.VECTOR)) for stage in ENGINE.stages),
    ],
    ids=lambda each: "_".join(stage.name for stage in each) if isinstance(each, tuple) else "",
)
def test_the_proof_is_not_of_nothing(
    of: Parties, active: tuple[Stage, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every channel is within one of these groups."""
    limits(monkeypatch, FEW, FEW)
    name = f"token_network_cover_{len(of.stages)}_{len(active)}"
    prove(NetworkMonitor(of, active), name, depth=24, mode="cover")


# -- the proof notices what it is for ---------------------------------------------------------


def refused(claim: str, of: Parties = ENGINE) -> None:
    refute(NetworkMonitor(of), "token_network_broken", claim, depth=24)


@MACHINES
def test_one_too_many_is_noticed(of: Parties, monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch, FEW + 1, FEW)
    refused(LIMITED, of)


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


def test_tokens_that_the_host_takes_twice_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than it wants, one that comes as it takes."""
    elaborate = HostInbox.elaborate

    def losing(self: HostInbox, platform: object) -> Module:
        m = elaborate(self, platform)
        with m.If(self.give & self.take.any() & self.waiting.any()):
            m.d.sync += self.waiting.eq(self.waiting - Mux(self.take > self.waiting, 1, self.take))
        return m

    monkeypatch.setattr(HostInbox, "elaborate", losing)
    refused(BY_HOST, WITH_VECTOR)


def test_tokens_for_the_host_that_nobody_gave_are_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it takes is promised again."""
    elaborate = HostInbox.elaborate

    def generous(self: HostInbox, platform: object) -> Module:
        m = elaborate(self, platform)
        with m.If(self.take.any()):
            m.d.sync += self.reserved.eq(self.reserved + self.promise)
        return m

    monkeypatch.setattr(HostInbox, "elaborate", generous)
    refused(CONSERVED, WITH_VECTOR)


def test_tokens_of_the_host_that_wrap_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    elaborate = HostOutbox.elaborate

    def wrapping(self: HostOutbox, platform: object) -> Module:
        m = elaborate(self, platform)
        m.d.sync += self.waiting.eq(self.waiting + self.give - self.take)
        return m

    monkeypatch.setattr(HostOutbox, "elaborate", wrapping)
    refused(FROM_HOST, WITH_VECTOR)
