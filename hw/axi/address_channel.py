"""The address channel of one direction of one port: issues bursts, counts those under way."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.occupancy import Occupancy
from fractrain.hw.flow.layouts import ADDRESS_BITS

__all__ = ["AddressChannel"]


class AddressChannel(wiring.Component):
    """Offers bursts to memory, at most ``outstanding`` between offer and answer.

    Members
    -------
    bursts : In(stream of `BurstShape.layout`)
    hold : In(1)          offer no further burst; one that is on offer stays
    issue : Out(1)        a burst leaves ``bursts`` and is on offer from the next cycle on
    answered : In(1)      the last answer to the oldest burst has come
    quiet : Out(1)        no burst is on offer or unanswered
    address, length, valid : Out, ready : In    AxADDR, AxLEN, AxVALID, AxREADY

    Timing: one burst every other cycle, which is enough, as bursts have two beats at least.
    """

    def __init__(self, shape: BurstShape, outstanding: int):
        self.shape = shape
        self.under_way = Occupancy(outstanding)
        self.issued = Signal()
        """A burst is on offer in its first cycle."""
        super().__init__(
            {
                "bursts": In(stream.Signature(shape.layout)),
                "hold": In(1),
                "issue": Out(1),
                "answered": In(1),
                "quiet": Out(1, init=1),
                "address": Out(ADDRESS_BITS),
                "length": Out(4),
                "valid": Out(1),
                "ready": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.under_way = under_way = self.under_way
        burst, issued = self.bursts.payload, self.issued
        m.d.sync += issued.eq(self.issue)
        m.d.comb += [
            self.bursts.ready.eq(~self.hold & under_way.room & ~self.valid),
            self.issue.eq(self.bursts.valid & self.bursts.ready),
            under_way.enter.eq(issued),  # in time for the next burst
            under_way.leave.eq(self.answered),
            self.quiet.eq(under_way.empty & ~issued),
        ]
        with m.If(self.issue):
            m.d.sync += [
                self.valid.eq(1),
                self.address.eq(self.shape.byte_address(burst.address)),
                self.length.eq(self.shape.length(burst.more)),
            ]
        with m.Elif(self.ready):
            m.d.sync += self.valid.eq(0)
        return m
