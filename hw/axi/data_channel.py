"""The data channel of writes: the beats of issued bursts."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.contract.bursts import BEAT_BYTES

__all__ = ["DataChannel"]


class DataChannel(wiring.Component):
    """Sends the beats of bursts in the order in which these were issued.

    Members
    -------
    bursts : In(stream of `BurstShape.layout`)    their addresses are on offer already
    beat : In, take : Out                         of the `BlockStore`, which holds all their beats
    void : In(1)      the store has been cleared: send the remaining beats with no byte enabled
    data, strobe, last, valid : Out, ready : In   WDATA, WSTRB, WLAST, WVALID, WREADY

    Timing: one beat per cycle, also between bursts; the first one cycle after its burst came.
    """

    def __init__(self, shape: BurstShape):
        self.shape = shape
        super().__init__(
            {
                "bursts": In(stream.Signature(shape.layout)),
                "beat": In(8 * BEAT_BYTES),
                "take": Out(1),
                "void": In(1),
                "data": Out(8 * BEAT_BYTES),
                "strobe": Out(BEAT_BYTES),
                "last": Out(1),
                "valid": Out(1),
                "ready": In(1),
            }
        )
        self.sent = Signal(4)
        """Beats of the burst that are sent, or in the register on their way."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        free, load = Signal(), Signal()
        length = Signal(4)
        sent, at_last = self.sent, Signal()
        m.d.comb += [
            free.eq(~self.valid | self.ready),
            load.eq(free & self.bursts.valid),
            length.eq(self.shape.length(self.bursts.payload.more)),
            at_last.eq(sent == length),
            self.bursts.ready.eq(free & at_last),
            self.take.eq(load),
        ]
        with m.If(free):
            m.d.sync += self.valid.eq(self.bursts.valid)
        with m.If(load):
            m.d.sync += [
                self.data.eq(self.beat),
                self.strobe.eq(Mux(self.void, 0, (1 << BEAT_BYTES) - 1)),
                self.last.eq(at_last),
                sent.eq(Mux(at_last, 0, sent + 1)),
            ]
        return m
