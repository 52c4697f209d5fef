"""Counting what is inside: bursts under way, places of a memory in use."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError

__all__ = ["Occupancy"]


class Occupancy(wiring.Component):
    """How many are inside, 0..``limit``, as flags that cost no logic to wait for.

    Members
    -------
    enter, leave : In(1)    one comes in (only while fewer than ``limit`` are inside), one goes
    room : Out(1)           at least ``margin`` more may come in
    empty : Out(1)

    Timing: the flags are registers and hold for the cycle that they are read in.
    """

    def __init__(self, limit: int, margin: int = 1):
        if not 1 <= margin <= limit:
            raise ParameterError("margin", margin, f"1..{limit}, the limit")
        self.limit, self.margin = limit, margin
        super().__init__(
            {
                "enter": In(1),
                "leave": In(1),
                "room": Out(1, init=1),
                "empty": Out(1, init=1),
            }
        )
        self.count = Signal(range(limit + 1))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        last = self.limit - self.margin  # most that may be inside while there is room
        with m.If(self.enter & ~self.leave):
            m.d.sync += [
                self.count.eq(self.count + 1),
                self.empty.eq(0),
                self.room.eq(self.count < last),
            ]
        with m.Elif(~self.enter & self.leave):
            m.d.sync += [
                self.count.eq(self.count - 1),
                self.empty.eq(self.count == 1),
                self.room.eq(self.count <= last + 1),
            ]
        return m
