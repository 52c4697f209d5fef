"""Tokens between the machine and the host, which takes and gives several at a time."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import TOKEN_LIMIT

__all__ = ["HOST_COUNT_BITS", "HostInbox", "HostOutbox"]

HOST_COUNT_BITS = TOKEN_LIMIT.bit_length()
"""Of a number of tokens, 0..`TOKEN_LIMIT`."""


class HostInbox(wiring.Component):
    """Tokens for the host that it has not yet taken, 0..`TOKEN_LIMIT`.

    Members
    -------
    promise, give : In(1), room : Out(1)    as of `hw.control.tokens.TokenCounter`
    take : In(8)                            the host takes so many in this cycle, at most all
    waiting : Out(8)

    Timing: ``room`` and ``waiting`` are registers and follow by one cycle.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "promise": In(1),
                "give": In(1),
                "room": Out(1, init=1),
                "take": In(HOST_COUNT_BITS),
                "waiting": Out(HOST_COUNT_BITS),
            }
        )
        self.reserved = Signal(HOST_COUNT_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        taken, reserved = Signal(HOST_COUNT_BITS), Signal(HOST_COUNT_BITS)
        m.d.comb += [
            taken.eq(Mux(self.take > self.waiting, self.waiting, self.take)),
            reserved.eq(self.reserved + self.promise - taken),
        ]
        m.d.sync += [
            self.waiting.eq(self.waiting + self.give - taken),
            self.reserved.eq(reserved),
            self.room.eq(reserved != TOKEN_LIMIT),
        ]
        return m


class HostOutbox(wiring.Component):
    """Tokens that the host has given and the fetch stage has not yet taken, 0..`TOKEN_LIMIT`; what
    would be more is lost.

    Members
    -------
    give : In(8)       the host gives so many in this cycle
    take : In(1)       only while ``available``
    available : Out(1)

    Timing: ``available`` is a register and follows by one cycle.
    """

    def __init__(self) -> None:
        super().__init__({"give": In(HOST_COUNT_BITS), "take": In(1), "available": Out(1)})
        self.waiting = Signal(HOST_COUNT_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total, kept = Signal(HOST_COUNT_BITS + 1), Signal(HOST_COUNT_BITS)
        m.d.comb += [
            total.eq(self.waiting + self.give - self.take),
            kept.eq(Mux(total > TOKEN_LIMIT, TOKEN_LIMIT, total)),
        ]
        m.d.sync += [self.waiting.eq(kept), self.available.eq(kept != 0)]
        return m
