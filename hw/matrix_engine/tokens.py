"""Tokens: how the fetch and execute stages keep out of each other's way."""

from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.data import Layout
from amaranth.lib.wiring import In, Out

from hw.contract.matrix_commands import TOKEN_LIMIT
from hw.flow.stream_register import StreamRegister

__all__ = ["IN_STAGE", "TokenCounter", "TokenGate"]

IN_STAGE = StreamRegister.CAPACITY + 3
"""Tasks between a gate and the counter: in the register behind the gate, at work, and ended with
their token still on its way, which takes the fetch stage two cycles."""


class TokenCounter(wiring.Component):
    """Tokens given by one stage and not yet taken by the other, 0..`TOKEN_LIMIT`.

    Members
    -------
    give, take : In(1)        ``take`` only while ``available``, ``give`` only while not ``full``
    available : Out(1)
    full : Out(1)             there is no room for one more task's token beside those of the
                              tasks behind the gate, of which there are at most `IN_STAGE`

    Timing: a token can be taken from the cycle after it was given.
    """

    def __init__(self) -> None:
        super().__init__({"give": In(1), "take": In(1), "available": Out(1), "full": Out(1)})
        self.count = Signal(range(TOKEN_LIMIT + 1))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        last_free = TOKEN_LIMIT - IN_STAGE
        # ``available`` and ``full`` are registers: stages wait for them
        with m.If(self.give & ~self.take):
            m.d.sync += [
                self.count.eq(self.count + 1),
                self.available.eq(1),
                self.full.eq(self.count >= last_free - 1),
            ]
        with m.Elif(~self.give & self.take):
            m.d.sync += [
                self.count.eq(self.count - 1),
                self.available.eq(self.count != 1),
                self.full.eq(self.count > last_free),
            ]
        return m


class TokenGate(wiring.Component):
    """Passes tasks on; one with ``wait`` takes a token first, one with ``signal`` needs room for
    the token that it will give.

    Members
    -------
    i : In(stream of tasks), o : Out(stream of tasks)
    available, room : In(1)    of the counter to take from, and of the counter to give to
    take : Out(1)
    starved : Out(1)           a task is held back for want of a token

    Timing: combinational. A task is not withdrawn once offered: only the gate's own stage takes
    tokens, and room once found is kept.
    """

    def __init__(self, layout: Layout | Shape):
        super().__init__(
            {
                "i": In(stream.Signature(layout)),
                "o": Out(stream.Signature(layout)),
                "available": In(1),
                "room": In(1),
                "take": Out(1),
                "starved": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        task = self.i.payload
        may_pass, offered = Signal(), Signal()
        m.d.sync += offered.eq(self.o.valid & ~self.o.ready)
        m.d.comb += [
            may_pass.eq(
                offered | (Mux(task.wait, self.available, 1) & Mux(task.signal, self.room, 1))
            ),
            self.o.payload.eq(task),
            self.o.valid.eq(self.i.valid & may_pass),
            self.i.ready.eq(self.o.ready & may_pass),
            self.take.eq(self.o.valid & self.o.ready & task.wait),
            self.starved.eq(self.i.valid & ~may_pass),
        ]
        return m
