"""The rules of AXI3 for a master, as assertions, and those for its memory, as assumptions."""

from amaranth.hdl import Array, Assert, Assume, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.signature import AXI3_READ, AXI3_WRITE

__all__ = ["Lengths", "ReadRules", "WriteRules"]

ADDRESS = ("addr", "len", "size", "burst", "id", "lock", "cache", "prot", "qos")


class _Rules(wiring.Component):
    """What both directions share.

    axi : In                          all signals of a port: the rules only look
    window_first, window_last : In    no burst has a byte outside
    still : In(1)                     no burst is on offer that was not in the cycle before

    offered, accepted : this cycle is the first in which a burst is on offer; memory takes one
    waiting : there was a burst on offer in the cycle before, and memory did not take it
    under_way : bursts offered and not answered before this cycle
    """

    def __init__(self, prefix: str, channels: wiring.Signature, outstanding: int) -> None:
        self.prefix, self.limit = prefix, outstanding
        signals = {name: In(member.shape) for name, member in channels.members.items()}
        super().__init__(
            {
                "axi": Out(wiring.Signature(signals)),
                "window_first": In(32),
                "window_last": In(32),
                "still": In(1),
            }
        )
        self.offered, self.accepted, self.waiting = Signal(), Signal(), Signal()
        self.under_way = Signal(range(outstanding + 2))

    def watch(self, m: Module, port: wiring.PureInterface) -> None:
        """Connect the signals of ``port``, in a module above both."""
        for name in self.axi.signature.members:
            m.d.comb += getattr(self.axi, name).eq(getattr(port, name))

    def signal(self, name: str) -> Value:
        return getattr(self.axi, name)

    def stays(self, m: Module, channel: str, names: tuple[str, ...], waiting: Signal) -> None:
        """Assert that an offer stays until it is taken; ``waiting``: there is an earlier one."""
        payload = Cat(self.signal(channel + name) for name in names)
        valid, ready = self.signal(f"{channel}valid"), self.signal(f"{channel}ready")
        before = Signal.like(payload)
        m.d.sync += [waiting.eq(valid & ~ready), before.eq(payload)]
        m.d.comb += Assert(
            ~waiting | (valid & (payload == before)), f"an offer of {channel} stays as it is"
        )

    def addresses(self, m: Module, answered: Value) -> None:
        """Bursts of 64-bit beats, INCR, aligned, within 4 KB and the window; not too many."""
        valid = self.signal(f"{self.prefix}valid")
        first, length = self.signal(f"{self.prefix}addr"), self.signal(f"{self.prefix}len")
        self.stays(m, self.prefix, ADDRESS, self.waiting)
        last = Signal(33)
        m.d.comb += [
            self.offered.eq(valid & ~self.waiting),
            self.accepted.eq(valid & self.signal(f"{self.prefix}ready")),
            last.eq(first + 8 * length + 7),
        ]
        for rule in (
            self.signal(f"{self.prefix}size") == 3,
            self.signal(f"{self.prefix}burst") == 1,
            self.signal(f"{self.prefix}lock") == 0,
            self.signal(f"{self.prefix}id") == 0,
            first[:3] == 0,
            first[12:] == last[12:],
            first >= self.window_first,
            last <= self.window_last,
        ):
            m.d.comb += Assert(~valid | rule)
        m.d.comb += Assert(~(self.offered & self.still), "no burst begins while held")
        now = Signal.like(self.under_way)
        m.d.comb += [
            now.eq(self.under_way + self.offered),
            Assert(now <= self.limit, "no more bursts under way than allowed"),
        ]
        m.d.sync += self.under_way.eq(now - answered)


class Lengths(wiring.Component):
    """The lengths of bursts, first in, first out, as the rules remember them.

    push, length : In    a burst comes, and is among ``lengths`` at once
    taken : In(1)        a beat of the oldest burst is transferred; with its last one it is gone
    any, last : Out(1)   there is one; the next beat is the last of the oldest

    count : bursts inside before this cycle; beat : beats of the oldest that were taken before
    """

    def __init__(self, depth: int) -> None:
        super().__init__(
            {
                "push": In(1),
                "length": In(4),
                "taken": In(1),
                "any": Out(1),
                "last": Out(1),
                "pop": Out(1),
            }
        )
        self.count, self.beat = Signal(range(depth + 2)), Signal(4)
        self.lengths = [Signal(4, name=f"length_{number}") for number in range(depth + 1)]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = [Signal(4, name=f"held_{number}") for number in range(len(self.lengths))]
        for number, (now, before) in enumerate(zip(self.lengths, held, strict=True)):
            comes = self.push & (self.count == number)
            m.d.comb += now.eq(Mux(comes, self.length, before))
            following = self.lengths[min(number + 1, len(held) - 1)]
            m.d.sync += before.eq(Mux(self.pop, following, now))
        m.d.comb += [
            self.any.eq((self.count != 0) | self.push),
            self.last.eq(self.beat == self.lengths[0]),
            self.pop.eq(self.taken & self.last),
        ]
        m.d.sync += self.count.eq(self.count + self.push - self.pop)
        with m.If(self.taken):
            m.d.sync += self.beat.eq(Mux(self.last, 0, self.beat + 1))
        return m

    def at(self, number: Value) -> Value:
        return Array(self.lengths)[number]


class ReadRules(_Rules):
    """Of the read channels. Memory is assumed to answer what it has accepted, in order.

    owed : bursts that memory has accepted and not answered
    """

    def __init__(self, outstanding: int) -> None:
        super().__init__("ar", AXI3_READ, outstanding)
        self.owed = Lengths(outstanding)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axi = self.axi
        self.addresses(m, axi.rvalid & axi.rlast)
        m.submodules.owed = owed = self.owed
        m.d.comb += [
            owed.push.eq(self.accepted),
            owed.length.eq(axi.arlen),
            owed.taken.eq(axi.rvalid),
            Assume(~axi.rvalid | ((owed.count != 0) & (axi.rlast == owed.last))),
            Assert(axi.rready),
            # the invariant of the rules themselves
            Assert(self.under_way == owed.count + self.waiting),
        ]
        return m


class WriteRules(_Rules):
    """Of the write channels. Memory is assumed to answer what it has accepted, in order.

    void : In(1)    data offered for the first time in this cycle has no byte enabled

    unsent : bursts whose address is on offer or taken, and whose last beat is not
    """

    def __init__(self, outstanding: int) -> None:
        super().__init__("aw", AXI3_WRITE, outstanding)
        self.void, self.data_waiting = Signal(), Signal()
        self.unsent = Lengths(outstanding)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axi = self.axi
        self.addresses(m, axi.bvalid)
        self.stays(m, "w", ("data", "strb", "id", "last"), self.data_waiting)
        m.submodules.unsent = unsent = self.unsent
        sent, accepted = Signal.like(self.under_way), Signal.like(self.under_way)
        fresh = axi.wvalid & ~self.data_waiting
        m.d.comb += [
            unsent.push.eq(self.offered),
            unsent.length.eq(axi.awlen),
            unsent.taken.eq(axi.wvalid & axi.wready),
            Assert(
                ~axi.wvalid | (unsent.any & (axi.wlast == unsent.last) & (axi.wid == 0)),
                "as many beats as the burst says",
            ),
            Assert(~(fresh & self.void) | (axi.wstrb == 0), "no byte of forgotten data is enabled"),
            Assume(~axi.bvalid | ((sent != 0) & (accepted != 0))),
            Assert(axi.bready),
            # the invariants of the rules themselves
            Assert(self.under_way == unsent.count + sent),
            Assert(self.under_way == accepted + self.waiting),
        ]
        m.d.sync += [
            sent.eq(sent + unsent.pop - axi.bvalid),
            accepted.eq(accepted + self.accepted - axi.bvalid),
        ]
        return m
