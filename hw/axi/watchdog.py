"""Notices a memory that has stopped answering."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.registers import WORD_BITS

__all__ = ["Watchdog"]


class Watchdog(wiring.Component):
    """Pulses ``expired`` when something has been awaited for more than ``limit`` cycles without
    progress.

    Members
    -------
    waiting : In(1)      answers are outstanding
    progress : In(1)     memory has taken or given something
    limit : In(32)       cycles; 0: wait for ever
    expired : Out(1)     once; again only after ``waiting`` or ``progress`` has changed

    Timing: `LATENCY_CYCLES` after the cycle that was too many, as every step is a register. A new
    ``limit`` counts two cycles later.
    """

    LATENCY_CYCLES = 3

    def __init__(self) -> None:
        super().__init__({"waiting": In(1), "progress": In(1), "limit": In(32), "expired": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        restart, enabled, over, was_over = Signal(init=1), Signal(), Signal(), Signal()
        limit, count = Signal(WORD_BITS), Signal(WORD_BITS)
        m.d.sync += [
            restart.eq(~self.waiting | self.progress),
            limit.eq(self.limit),
            enabled.eq(limit != 0),
            over.eq((count >= limit) & enabled & ~restart),
            was_over.eq(over),
            self.expired.eq(over & ~was_over),
        ]
        with m.If(restart):
            m.d.sync += count.eq(0)
        with m.Elif(~over):
            m.d.sync += count.eq(count + 1)
        return m
