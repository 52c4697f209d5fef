"""The token network among stages, a decoder and a host that do whatever the stream rules allow, and
what is claimed of it."""

from collections.abc import Collection

from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from fractrain.hw.contract.commands import COMMAND_BITS, HEADER, TOKEN_LIMIT, Stage
from fractrain.hw.control.host_tokens import HOST_COUNT_BITS
from fractrain.hw.control.tokens import TokenNetwork
from fractrain.hw.flow.parties import ENGINE, Parties

__all__ = [
    "BY_HOST",
    "CONSERVED",
    "FROM_HOST",
    "LIMITED",
    "ONCE",
    "PROMPT",
    "TAKEN",
    "NetworkMonitor",
]

TASK = data.StructLayout({"command": COMMAND_BITS})
CONSERVED = "tokens that were promised are there or will be"
LIMITED = "no more tokens than the limit"
TAKEN = "no token is taken that is not there"
ONCE = "a token is taken for each task that waits for it"
PROMPT = "nobody is held back without cause"
BY_HOST = "the host takes what is there of what it wants"
FROM_HOST = "what the host gives is there up to the limit"

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
