"""Tokens: how the stages are kept in step."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import (
    HEADER,
    TOKEN_LIMIT,
    Opcode,
    Stage,
)
from fractrain.hw.control.host_tokens import HOST_COUNT_BITS, HostInbox, HostOutbox
from fractrain.hw.flow.parties import ENGINE, Parties
from fractrain.hw.flow.tasks import command_view

__all__ = ["TokenCounter", "TokenGate", "TokenNetwork"]


class TokenCounter(wiring.Component):
    """Tokens given by one stage and not yet taken by the other, 0..`TOKEN_LIMIT`.

    Members
    -------
    promise : In(1)    a task that will give one has begun; only while ``room``
    give : In(1)       it has ended; not more often than promised
    take : In(1)       only while ``available``
    available : Out(1)
    room : Out(1)      waiting and promised tokens together are fewer than the limit

    Timing: both flags are registers and follow by one cycle.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "promise": In(1),
                "give": In(1),
                "take": In(1),
                "available": Out(1),
                "room": Out(1, init=1),
            }
        )
        self.waiting = Signal(range(TOKEN_LIMIT + 1))
        self.reserved = Signal(range(TOKEN_LIMIT + 1))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self.give & ~self.take):
            m.d.sync += [self.waiting.eq(self.waiting + 1), self.available.eq(1)]
        with m.Elif(~self.give & self.take):
            m.d.sync += [self.waiting.eq(self.waiting - 1), self.available.eq(self.waiting != 1)]
        with m.If(self.promise & ~self.take):
            m.d.sync += [
                self.reserved.eq(self.reserved + 1),
                self.room.eq(self.reserved != TOKEN_LIMIT - 1),
            ]
        with m.Elif(~self.promise & self.take):
            m.d.sync += [self.reserved.eq(self.reserved - 1), self.room.eq(1)]
        return m


class TokenGate(wiring.Component):
    """Holds a task until all tokens it waits for are there, and room for those it will give; then
    takes and promises them all at once and passes the task on.

    Members
    -------
    i : In(stream of tasks), o : Out(stream of tasks)
    available, room : In      of the counters, one bit each for `Parties.wait`, `Parties.signal` of
                              the stage
    take, promise : Out       to them
    starved : Out             tokens that the task at the gate waits for, one bit as ``available``
    blocked : Out(1)          it waits for tokens or for room
    held : Out(1)             there is a task in the gate

    Timing: two cycles; one task every three cycles.
    """

    def __init__(self, layout: StructLayout, stage: Stage, of: Parties):
        self.waits, self.signals = len(of.wait[stage]), len(of.signal[stage])
        super().__init__(
            {
                "i": In(stream.Signature(layout)),
                "o": Out(stream.Signature(layout)),
                "available": In(self.waits),
                "room": In(self.signals),
                "take": Out(self.waits),
                "promise": Out(self.signals),
                "starved": Out(self.waits),
                "blocked": Out(1),
                "held": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        header = command_view(Opcode.END, self.o.payload.command)
        wait, signal = header.wait[: self.waits], header.signal[: self.signals]
        waiting, may_pass = Signal(), Signal()
        m.d.comb += [
            self.held.eq(waiting | self.o.valid),
            self.i.ready.eq(~self.held),
            may_pass.eq(~(Cat(wait & ~self.available, signal & ~self.room)).any()),
            self.starved.eq((wait & ~self.available) & waiting.replicate(self.waits)),
            self.blocked.eq(waiting & ~may_pass),
        ]
        m.d.sync += [self.take.eq(0), self.promise.eq(0)]
        with m.If(waiting & may_pass):
            m.d.sync += [
                waiting.eq(0),
                self.o.valid.eq(1),
                self.take.eq(wait),
                self.promise.eq(signal),
            ]
        with m.Elif(self.o.valid):
            m.d.sync += self.o.valid.eq(~self.o.ready)
        with m.Elif(~waiting):
            m.d.sync += [waiting.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        return m


class TokenNetwork(wiring.Component):
    """The gates in front of all stages, the counters between them, and those to and from the host.

    Members
    -------
    i : In(stream of tasks), o : Out(stream of tasks)    one each for `Parties.stages`
    ended : In(4), one for every stage    ``signal`` bits of the stage's task that has just ended,
                                          in the order of the tasks; 0 otherwise
    starved : Out(one bit per stage), one for every stage    the task in its gate waits for a
                                          token from that stage
    blocked, held : Out(one bit per stage)    as in `TokenGate`

    If the host is one of ``of``

    host_tokens : Out(8)    tokens for the host
    host_take : In(8)       it takes so many of them, at most all
    host_give : In(8)       it gives so many to the fetch stage; more than `TOKEN_LIMIT` at a time
                            are lost

    Timing: see `TokenGate`. A token is available two cycles after ``ended``, the host's one after
    ``host_give``.
    """

    def __init__(self, layout: StructLayout, of: Parties = ENGINE):
        signals = HEADER["signal"].width
        self.of = of
        self.gates = {stage: TokenGate(layout, stage, of) for stage in of.stages}
        self.counters = {channel: TokenCounter() for channel in of.channels}
        self.inbox = HostInbox() if of.host else None
        self.outbox = HostOutbox() if of.host else None
        stages = len(of.stages)
        host = {
            "host_tokens": Out(HOST_COUNT_BITS),
            "host_take": In(HOST_COUNT_BITS),
            "host_give": In(HOST_COUNT_BITS),
        }
        super().__init__(
            {
                "i": In(stream.Signature(layout)).array(stages),
                "o": Out(stream.Signature(layout)).array(stages),
                "ended": In(signals).array(stages),
                "starved": Out(stages).array(stages),
                "blocked": Out(stages),
                "held": Out(stages),
                **(host if of.host else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for (source, target), counter in self.counters.items():
            m.submodules[f"{source.name}_{target.name}".lower()] = counter
            give, take = self._bits(source, target)
            giver, taker = self.gates[source], self.gates[target]
            m.d.comb += [
                counter.promise.eq(giver.promise[give]),
                counter.take.eq(taker.take[take]),
                giver.room[give].eq(counter.room),
                taker.available[take].eq(counter.available),
            ]
            # through a register: ``ended`` may come from deep logic
            m.d.sync += counter.give.eq(self.ended[source][give])
        if self.of.host:
            self._meet_host(m)
        for stage, gate in self.gates.items():
            m.submodules[f"{stage.name}_gate".lower()] = gate
            wiring.connect(m, wiring.flipped(self.i[stage]), gate.i)
            wiring.connect(m, gate.o, wiring.flipped(self.o[stage]))
            m.d.comb += [
                self.blocked[stage].eq(gate.blocked),
                self.held[stage].eq(gate.held),
                self.starved[stage].eq(self._by_stage(stage, gate.starved)),
            ]
        return m

    def _bits(self, source: Stage, target: Stage) -> tuple[int, int]:
        """Of the channel, in the giver's ``signal`` and the taker's ``wait``."""
        return self.of.signal[source].index(target), self.of.wait[target].index(source)

    def _meet_host(self, m: Module) -> None:
        inbox, outbox = self.inbox, self.outbox
        assert inbox is not None and outbox is not None
        m.submodules.inbox, m.submodules.outbox = inbox, outbox
        (source,), (target,) = self.of.wait[Stage.HOST], self.of.signal[Stage.HOST]
        (give, _), (_, take) = self._bits(source, Stage.HOST), self._bits(Stage.HOST, target)
        giver, taker = self.gates[source], self.gates[target]
        m.d.comb += [
            inbox.promise.eq(giver.promise[give]),
            giver.room[give].eq(inbox.room),
            inbox.take.eq(self.host_take),
            self.host_tokens.eq(inbox.waiting),
            outbox.give.eq(self.host_give),
            outbox.take.eq(taker.take[take]),
            taker.available[take].eq(outbox.available),
        ]
        m.d.sync += inbox.give.eq(self.ended[source][give])

    def _by_stage(self, stage: Stage, starved: Value) -> Value:
        sources = self.of.wait[stage]
        return Cat(
            starved[sources.index(each)] if each in sources else 0 for each in self.of.stages
        )
