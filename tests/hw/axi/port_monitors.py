"""The channels of a port under the rules of AXI3, with the invariants that make the rules
inductive. The bursts that come in are as `window_monitors` proves them."""

from amaranth.hdl import Assert, Assume, Cover, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.address_channel import AddressChannel
from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.occupancy import Occupancy
from fractrain.hw.axi.read_port import ReadPort
from fractrain.hw.axi.write_channels import WriteChannels
from fractrain.hw.flow.stream_register import StreamRegister
from tests.formal.axi3_rules import ReadRules, WriteRules
from tests.hw.axi.window_monitors import burst_is_legal

__all__ = ["ReadPortMonitor", "WriteChannelsMonitor"]


class _PortMonitor(wiring.Component):
    """``part`` with legal bursts at any time, held and flushed at any time, under ``rules``."""

    def __init__(self, shape: BurstShape, part: wiring.Component, rules: wiring.Component) -> None:
        self.shape, self.part, self.rules = shape, part, rules
        memory = {name: In(m.shape) for name, m in part.axi.signature.members.items()}
        super().__init__(
            {
                "valid": In(1),
                "burst": In(shape.layout),
                "hold": In(1),
                "flush": In(1),
                "memory": Out(wiring.Signature(memory)),
                "window_first": In(32),
                "window_last": In(32),
            }
        )

    def surround(self, m: Module) -> None:
        part, rules = self.part, self.rules
        m.submodules.part, m.submodules.rules = part, rules
        held, first, last = Signal(), Signal(32), Signal(32)
        m.d.sync += [held.eq(self.hold), first.eq(self.window_first), last.eq(self.window_last)]
        started = Signal()
        m.d.sync += started.eq(1)
        m.d.comb += [
            part.bursts.valid.eq(self.valid),
            part.bursts.payload.eq(self.burst),
            part.hold.eq(self.hold),
            Assume(~self.flush | self.hold),
            Assume(~self.valid | self.legal(self.burst)),
            Assume(~started | ((first == self.window_first) & (last == self.window_last))),
            rules.still.eq(held),
            rules.window_first.eq(self.window_first),
            rules.window_last.eq(self.window_last),
            Assert(~part.quiet | ((rules.under_way == 0) & ~rules.offered)),
        ]
        for name, member in part.axi.signature.members.items():
            if member.flow == In:
                m.d.comb += getattr(part.axi, name).eq(getattr(self.memory, name))
        rules.watch(m, part.axi)
        self._reach(m)

    def _reach(self, m: Module) -> None:
        """What must be possible, lest the proof be of nothing: all that may be under way, and a
        burst issued after an answer."""
        rules, answered = self.rules, Signal()
        before = Signal.like(rules.under_way)
        m.d.sync += before.eq(rules.under_way)
        with m.If(rules.under_way < before):
            m.d.sync += answered.eq(1)
        m.d.comb += [Cover(rules.under_way == rules.limit), Cover(answered & rules.offered)]

    def legal(self, burst: Value) -> Value:
        return burst_is_legal(self.shape, burst, self.window_first, self.window_last)

    def count_right(self, m: Module, channel: AddressChannel) -> None:
        """The channel's count is that of the rules, an answer late."""
        rules, inside = self.rules, channel.under_way
        m.d.comb += [
            Assert(channel.issued == rules.offered),
            Assert(inside.count == rules.under_way + channel.answered),
            Assert(inside.count + channel.issued <= inside.limit),
            *flags_are_right(inside),
        ]


def flags_are_right(inside: Occupancy) -> list:
    return [
        Assert(inside.room == (inside.count + inside.margin <= inside.limit)),
        Assert(inside.empty == (inside.count == 0)),
    ]


class ReadPortMonitor(_PortMonitor):
    def __init__(self, shape: BurstShape, outstanding: int) -> None:
        part = ReadPort(shape, outstanding, shape.items_per_granule)
        super().__init__(shape, part, ReadRules(outstanding))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.surround(m)
        m.d.comb += self.part.flush.eq(self.flush)
        self.count_right(m, self.part.channel)
        register = self.part.register
        m.d.comb += [
            Assert(~register.o.valid | self.legal(register.o.payload)),
            Assert(~register.spare_held | (register.o.valid & self.legal(register.spare))),
        ]
        return m


class WriteChannelsMonitor(_PortMonitor):
    def __init__(self, shape: BurstShape, outstanding: int) -> None:
        super().__init__(shape, WriteChannels(shape, outstanding), WriteRules(outstanding))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.surround(m)
        self.count_right(m, self.part.address)
        flushed = Signal()
        m.d.sync += flushed.eq(self.flush)
        m.d.comb += [self.part.void.eq(self.flush), self.rules.void.eq(flushed)]
        self._data_right(m, self.part.issued)
        return m

    def _data_right(self, m: Module, issued: StreamRegister) -> None:
        """What the data channel has still to send is what the rules wait for.

        ``ending``: the last beat of a burst is on offer, so that burst has left ``issued``.
        """
        data, rules, length = self.part.data, self.rules, self.shape.length
        unsent, ending, on_offer = rules.unsent, Signal(), Signal()
        m.d.comb += [
            ending.eq(data.valid & data.last),
            on_offer.eq(data.valid & ~data.last),
            Assert(~issued.spare_held | issued.o.valid),
            Assert(unsent.count + rules.offered == issued.o.valid + issued.spare_held + ending),
            Assert(~issued.o.valid | (unsent.at(ending) == length(issued.o.payload.more))),
            Assert(~issued.spare_held | (unsent.at(ending + 1) == length(issued.spare.more))),
            Assert(
                Mux(ending, unsent.last & (data.sent == 0), data.sent == unsent.beat + on_offer)
            ),
            Assert((data.sent == 0) | issued.o.valid),
            Assert(~issued.o.valid | (data.sent <= length(issued.o.payload.more))),
        ]
