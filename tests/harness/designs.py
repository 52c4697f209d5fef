"""Small designs that test the harness: a stream that keeps the rules and two that break them."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out


class Incrementer(wiring.Component):
    """``out`` is ``in`` plus one, through a queue; ``fault`` names a way to break the rules.

    fault : "" none; "drops valid": takes an offer back when it was not accepted at once;
        "changes payload": the offered payload keeps counting
    """

    def __init__(self, width: int = 70, depth: int = 4, fault: str = "") -> None:
        self._depth, self._fault = depth, fault
        payload = stream.Signature(width)
        super().__init__({"i": In(payload), "o": Out(payload), "total": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = SyncFIFOBuffered(width=len(self.i.payload), depth=self._depth)
        shown = Signal.like(queue.r_rdy, name="shown", init=1)
        drift = Signal(4)
        m.d.comb += [
            queue.w_data.eq(self.i.payload + 1),
            queue.w_en.eq(self.i.valid),
            self.i.ready.eq(queue.w_rdy),
            self.o.payload.eq(queue.r_data + drift),
            self.o.valid.eq(queue.r_rdy & shown),
            queue.r_en.eq(self.o.ready & self.o.valid),
        ]
        with m.If(queue.r_en):
            m.d.sync += self.total.eq(self.total + self.o.payload)
        if self._fault == "drops valid":
            m.d.sync += shown.eq(~shown | self.o.ready)
        if self._fault == "changes payload":
            m.d.sync += drift.eq(drift + 1)
        return m
