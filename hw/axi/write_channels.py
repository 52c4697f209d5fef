"""The three write channels of one port."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.address_channel import AddressChannel
from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.data_channel import DataChannel
from fractrain.hw.axi.signature import AXI3_WRITE
from fractrain.hw.contract.bursts import BEAT_BYTES
from fractrain.hw.flow.stream_register import StreamRegister

__all__ = ["WriteChannels"]


class WriteChannels(wiring.Component):
    """Address, data and response of bursts.

    Members
    -------
    bursts : In(stream of `BurstShape.layout`)   all their beats are in the `BlockStore`
    beat : In, take : Out                        of the `BlockStore`
    axi : Out(`AXI3_WRITE`)
    hold : In(1)          issue no new burst; issued ones go on
    void : In(1)          send their remaining beats with no byte enabled
    quiet : Out(1)        no burst is under way
    progress, failed : Out(1)    memory has taken or given something; an answer was an error

    Timing: AWVALID rises the cycle after a burst is taken, WVALID one later; one beat per cycle,
    also between bursts.
    """

    def __init__(self, shape: BurstShape, outstanding: int):
        self.shape = shape
        self.address = AddressChannel(shape, outstanding)
        self.issued = StreamRegister(shape.layout)
        self.data = DataChannel(shape)
        super().__init__(
            {
                "bursts": In(stream.Signature(shape.layout)),
                "beat": In(8 * BEAT_BYTES),
                "take": Out(1),
                "axi": Out(AXI3_WRITE),
                "hold": In(1),
                "void": In(1),
                "quiet": Out(1, init=1),
                "progress": Out(1),
                "failed": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.address, m.submodules.data = self.address, self.data
        m.submodules.issued = self.issued
        self._issue(m)
        self._send(m)
        self._acknowledge(m)
        return m

    def _issue(self, m: Module) -> None:
        """Address first; the burst is in the register of ``issued`` when AWVALID rises."""
        channel, issued = self.address, self.issued
        wiring.connect(m, wiring.flipped(self.bursts), channel.bursts)
        self.shape.drive_constants(m, self.axi, "aw")
        m.d.comb += [
            channel.hold.eq(self.hold | ~issued.i.ready),
            issued.i.valid.eq(channel.issue),
            issued.i.payload.eq(self.bursts.payload),
            self.axi.awaddr.eq(channel.address),
            self.axi.awlen.eq(channel.length),
            self.axi.awvalid.eq(channel.valid),
            channel.ready.eq(self.axi.awready),
            self.quiet.eq(channel.quiet),
        ]

    def _send(self, m: Module) -> None:
        channel = self.data
        wiring.connect(m, self.issued.o, channel.bursts)
        m.d.comb += [
            channel.beat.eq(self.beat),
            self.take.eq(channel.take),
            channel.void.eq(self.void),
            self.axi.wdata.eq(channel.data),
            self.axi.wstrb.eq(channel.strobe),
            self.axi.wid.eq(0),
            self.axi.wlast.eq(channel.last),
            self.axi.wvalid.eq(channel.valid),
            channel.ready.eq(self.axi.wready),
        ]

    def _acknowledge(self, m: Module) -> None:
        axi, answered, error = self.axi, Signal(), Signal()
        m.d.sync += [answered.eq(axi.bvalid), error.eq(axi.bvalid & axi.bresp[1])]
        m.d.sync += self.progress.eq(
            axi.bvalid | (axi.awvalid & axi.awready) | (axi.wvalid & axi.wready)
        )
        m.d.comb += [axi.bready.eq(1), self.address.answered.eq(answered), self.failed.eq(error)]
