"""Formal, unbounded: in the whole network of stages no token is lost or made, and a task is held
back only as long as a token that it waits for, or the room for one, does not exist."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from hw.contract.commands import HEADER, SIGNAL, TOKEN_LIMIT, WAIT, Stage
from hw.control.tokens import CHANNELS, TokenNetwork
from tests.formal.runner import ProofFailed, prove

HEADER_BITS = HEADER["slot"].offset  # opcode, wait, signal
TASK = data.StructLayout({"command": HEADER_BITS})
INSIDE = 4
"""Tasks at work in a stage at a time; which number it is, no assertion depends on."""


class StageModel:
    """A stage as the network sees it: tasks go in and end in order, at any time."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.inside = Signal(range(INSIDE + 1), name=f"inside_{stage.name}")
        self.signals = [
            Signal(INSIDE, name=f"signals_{stage.name}_{target.name}") for target in SIGNAL[stage]
        ]
        """For every target, which of the tasks inside, oldest in bit 0, will give it a token."""

    def pending(self, target: Stage) -> Value:
        bits = self.signals[SIGNAL[self.stage].index(target)]
        return sum((bits[i] for i in range(1, INSIDE)), start=bits[0])


class NetworkMonitor(wiring.Component):
    """The network, with stages and decoder that do whatever the stream rules allow."""

    def __init__(self) -> None:
        self.network = TokenNetwork(TASK)
        self.stages = [StageModel(stage) for stage in Stage]
        super().__init__(
            {
                "valid": In(len(Stage)),
                "task": In(TASK).array(len(Stage)),
                "ready": In(len(Stage)),
                "ends": In(len(Stage)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.network = self.network
        for model in self.stages:
            self._run(m, model)
        for channel in CHANNELS:
            self._check_channel(m, *channel)
        for stage in Stage:
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
        index, taken = SIGNAL[source].index(target), WAIT[target].index(source)
        offered = gate.o.valid & _signal(gate.o.payload.command)[index]
        promised = self.stages[source].pending(target) + counter.give + offered
        wanted = gate.promise[index]
        m.d.comb += [
            # reserved = waiting + promised, but for the promise that is on its way to the counter
            Assert(counter.reserved + wanted == counter.waiting + promised),
            Assert(counter.waiting <= TOKEN_LIMIT),
            Assert(counter.reserved + wanted <= TOKEN_LIMIT),
            Assert(~counter.take | (counter.waiting != 0)),
            Assert(~counter.give | (counter.waiting != TOKEN_LIMIT)),
            Assert(counter.available == (counter.waiting != 0)),
            Assert(counter.room == (counter.reserved != TOKEN_LIMIT)),
            # a token is taken for a task that passes, once, and for no other
            Assert(
                counter.take
                == (self._first_offered(m, target) & _wait(self._at_gate(target))[taken])
            ),
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
            for wait_bit, source in zip(_wait(self._at_gate(stage)), WAIT[stage], strict=False)
        ]
        full = [
            signal_bit & (network.counters[stage, target].reserved == TOKEN_LIMIT)
            for signal_bit, target in zip(
                _signal(self._at_gate(stage)), SIGNAL[stage], strict=False
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
            Assert(~waits | gate.o.valid),
            Assert(~(gate.o.valid & gate.blocked)),
            Assert(~offered | (gate.o.valid & (gate.o.payload == before))),
        ]


def _wait(command: Value) -> Value:
    return command[HEADER["wait"].offset :][: HEADER["wait"].width]


def _signal(command: Value) -> Value:
    return command[HEADER["signal"].offset :][: HEADER["signal"].width]


def test_no_token_is_lost_and_no_task_held_back_without_cause() -> None:
    prove(NetworkMonitor(), "token_network", depth=3)


def test_the_proof_notices_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hw.control.tokens.TOKEN_LIMIT", TOKEN_LIMIT + 1)
    with pytest.raises(ProofFailed):
        prove(NetworkMonitor(), "token_network_broken", depth=3)
