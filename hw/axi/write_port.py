"""The write channels of one port."""

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.axi.address_channel import AddressChannel
from hw.axi.block_store import BlockStore
from hw.axi.bursts import BurstShape
from hw.axi.data_channel import DataChannel
from hw.axi.lut_queue import LutQueue
from hw.axi.signature import AXI3_WRITE
from hw.flow.stream_register import StreamRegister

__all__ = ["WritePort"]


class WritePort(wiring.Component):
    """Keeps blocks, and writes them as the bursts that it is told they are.

    Members
    -------
    store, block : In     a block of the next burst (only while there is a place)
    room : Out(1)         there are places for ``margin`` more
    send, burst : In      the blocks stored since the last burst are this one
    axi : Out(`AXI3_WRITE`)
    hold : In(1)          issue no burst; those that are issued go on; high while ``flush`` is
    flush : In(1)         forget all bursts not yet issued; of those that are, send the remaining
                          beats with no byte enabled. Must last until ``quiet``
    quiet : Out(1)        no burst is under way
    empty : Out(1)        nor does any wait to be
    progress, failed : Out(1)    memory has taken or given something; an answer was an error

    Timing: AWVALID 2 cycles after ``send``, WVALID 1 cycle after AWVALID; one beat per cycle.
    """

    def __init__(self, shape: BurstShape, outstanding: int, places: int, margin: int):
        self.shape = shape
        self.channel = AddressChannel(shape, outstanding)
        self.store_memory = BlockStore(shape, places, margin)
        # Every waiting burst has a block in the store.
        self.waiting = LutQueue(shape.layout, places)
        super().__init__(
            {
                "store": In(1),
                "block": In(8 * shape.item_bytes),
                "room": Out(1, init=1),
                "send": In(1),
                "burst": In(shape.layout),
                "axi": Out(AXI3_WRITE),
                "hold": In(1),
                "flush": In(1),
                "quiet": Out(1, init=1),
                "empty": Out(1),
                "progress": Out(1),
                "failed": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.issued = issued = StreamRegister(self.shape.layout)
        self._keep(m)
        self._issue(m, issued)
        self._send(m, issued)
        self._acknowledge(m)
        return m

    def _keep(self, m: Module) -> None:
        m.submodules.store = ResetInserter(self.flush)(self.store_memory)
        m.submodules.waiting = ResetInserter(self.flush)(self.waiting)
        m.d.comb += [
            self.store_memory.write.eq(self.store),
            self.store_memory.block.eq(self.block),
            self.room.eq(self.store_memory.room),
            self.waiting.write.eq(self.send),
            self.waiting.item.eq(self.burst),
        ]

    def _issue(self, m: Module, issued: StreamRegister) -> None:
        """Address first; the burst is in the register of ``issued`` when AWVALID rises."""
        m.submodules.channel = channel = self.channel
        wiring.connect(m, self.waiting.o, channel.bursts)
        self.shape.drive_constants(m, self.axi, "aw")
        m.d.comb += [
            channel.hold.eq(self.hold | ~issued.i.ready),
            issued.i.valid.eq(channel.issue),
            issued.i.payload.eq(self.waiting.o.payload),
            self.axi.awaddr.eq(channel.address),
            self.axi.awlen.eq(channel.length),
            self.axi.awvalid.eq(channel.valid),
            channel.ready.eq(self.axi.awready),
            self.quiet.eq(channel.quiet),
            self.empty.eq(~self.waiting.o.valid & channel.quiet),
        ]

    def _send(self, m: Module, issued: StreamRegister) -> None:
        m.submodules.data = channel = DataChannel(self.shape)
        wiring.connect(m, issued.o, channel.bursts)
        m.d.comb += [
            channel.beat.eq(self.store_memory.beat),
            channel.at_last.eq(self.store_memory.at_last),
            self.store_memory.take.eq(channel.take),
            channel.void.eq(self.flush),
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
        m.d.comb += [
            axi.bready.eq(1),
            self.channel.answered.eq(answered),
            self.failed.eq(error & ~self.flush),
        ]
