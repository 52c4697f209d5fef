"""The write half of one port."""

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.block_store import BlockStore
from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.lut_queue import LutQueue
from fractrain.hw.axi.signature import AXI3_WRITE
from fractrain.hw.axi.write_channels import WriteChannels

__all__ = ["WritePort"]


class WritePort(wiring.Component):
    """Keeps blocks and writes them in the bursts it is given.

    Members
    -------
    store, block : In     a block of the next burst (only while there is a place)
    room : Out(1)         there are places for ``margin`` more
    send, burst : In      the blocks stored since the last burst form this one
    axi : Out(`AXI3_WRITE`)
    hold : In(1)          issue no new burst; issued ones go on; high while ``flush`` is
    flush : In(1)         forget bursts not yet issued; send the remaining beats of issued ones with
                          no byte enabled. Must last until ``quiet``
    quiet : Out(1)        no burst is under way
    empty : Out(1)        none waits either
    progress, failed : Out(1)    memory has taken or given something; an answer was an error

    Timing: AWVALID 2 cycles after ``send``, WVALID 1 cycle after AWVALID; one beat per cycle.
    """

    def __init__(self, shape: BurstShape, outstanding: int, places: int, margin: int):
        self.shape = shape
        self.channels = WriteChannels(shape, outstanding)
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
        m.submodules.store = ResetInserter(self.flush)(self.store_memory)
        m.submodules.waiting = ResetInserter(self.flush)(self.waiting)
        m.submodules.channels = channels = self.channels
        wiring.connect(m, self.waiting.o, channels.bursts)
        wiring.connect(m, channels.axi, wiring.flipped(self.axi))
        m.d.comb += [
            self.store_memory.write.eq(self.store),
            self.store_memory.block.eq(self.block),
            self.store_memory.take.eq(channels.take),
            self.room.eq(self.store_memory.room),
            self.waiting.write.eq(self.send),
            self.waiting.item.eq(self.burst),
            channels.beat.eq(self.store_memory.beat),
            channels.hold.eq(self.hold),
            channels.void.eq(self.flush),
            self.quiet.eq(channels.quiet),
            self.empty.eq(~self.waiting.o.valid & channels.quiet),
            self.progress.eq(channels.progress),
            self.failed.eq(channels.failed & ~self.flush),
        ]
        return m
