"""The read half of one port."""

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.address_channel import AddressChannel
from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.signature import AXI3_READ
from fractrain.hw.axi.word_store import WordStore
from fractrain.hw.contract.bursts import BEAT_BYTES
from fractrain.hw.flow.stream_register import StreamRegister

__all__ = ["ReadPort"]


class ReadPort(wiring.Component):
    """Issues bursts and keeps their words until they are taken.

    Members
    -------
    bursts : In(stream of `BurstShape.layout`)   only if there is room for their words
    axi : Out(`AXI3_READ`)
    ready, word, bad : Out, take : In            of the `WordStore`
    hold : In(1)        issue no burst; high while ``flush`` is
    flush : In(1)       forget all bursts not yet issued and all words; drop what arrives. Must
                        last until ``quiet``
    quiet : Out(1)      no burst is under way
    progress : Out(1)   memory has taken or given something

    Timing: a word is ready two cycles after memory has given its last beat.
    """

    def __init__(self, shape: BurstShape, outstanding: int, places: int):
        self.shape = shape
        self.register = StreamRegister(shape.layout)
        self.channel = AddressChannel(shape, outstanding)
        self.store = WordStore(shape, places)
        super().__init__(
            {
                "bursts": In(stream.Signature(shape.layout)),
                "axi": Out(AXI3_READ),
                "ready": Out(1),
                "word": Out(8 * shape.item_bytes),
                "bad": Out(1),
                "take": In(1),
                "hold": In(1),
                "flush": In(1),
                "quiet": Out(1, init=1),
                "progress": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        register = self.register
        m.submodules.register = ResetInserter(self.flush)(register)
        wiring.connect(m, wiring.flipped(self.bursts), register.i)
        self._issue(m, register)
        self._receive(m)
        return m

    def _issue(self, m: Module, register: StreamRegister) -> None:
        m.submodules.channel = channel = self.channel
        wiring.connect(m, register.o, channel.bursts)
        self.shape.drive_constants(m, self.axi, "ar")
        m.d.comb += [
            channel.hold.eq(self.hold),
            self.axi.araddr.eq(channel.address),
            self.axi.arlen.eq(channel.length),
            self.axi.arvalid.eq(channel.valid),
            channel.ready.eq(self.axi.arready),
            self.quiet.eq(channel.quiet),
        ]

    def _receive(self, m: Module) -> None:
        """Answers in a register: they come from far away, and there is always room for them."""
        m.submodules.store = ResetInserter(self.flush)(self.store)
        store, axi = self.store, self.axi
        valid, data, error, last = Signal(), Signal(8 * BEAT_BYTES), Signal(), Signal()
        m.d.sync += [valid.eq(axi.rvalid), last.eq(axi.rvalid & axi.rlast)]
        m.d.sync += self.progress.eq(axi.rvalid | (axi.arvalid & axi.arready))
        with m.If(axi.rvalid):
            m.d.sync += [data.eq(axi.rdata), error.eq(axi.rresp[1])]
        m.d.comb += [
            axi.rready.eq(1),
            self.channel.answered.eq(last),
            store.beat.eq(valid & ~self.flush),
            store.data.eq(data),
            store.error.eq(error),
            self.ready.eq(store.ready),
            self.word.eq(store.word),
            self.bad.eq(store.bad),
            store.take.eq(self.take),
        ]
