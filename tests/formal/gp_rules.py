"""What a processing system and its registers may do, as assumptions, and what the bridge between
them must do, as assertions: written from AXI3 and the bridge's docstring, not from its code."""

from typing import Any

from amaranth.hdl import Array, Assert, Assume, Cat, Const, Cover, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.signature import BURST_INCR, DECERR, OKAY, SLVERR
from fractrain.hw.targets.zynq import REGISTERS_BASE
from fractrain.hw.zynq.gp_bridge import _Reads, _Writes

__all__ = [
    "ACCESSED",
    "ANSWERED",
    "AWAITED",
    "SOON",
    "WORST",
    "ReadMonitor",
    "WriteMonitor",
]

ACCESSED = "registers see what is not refused, once"
ANSWERED = "an answer has the ID of its burst"
WORST = "the answer is that of the worst beat"
SOON = "something happens soon"
AWAITED = "data are taken soon"

IDLE_CYCLES = 2
"""Cycles at most in which it is the bridge's turn and nothing can be seen of it."""


class _Accepted:
    """The burst whose address the bridge has taken, and what AXI3 says of its beats."""

    def __init__(self, m: Module, gp: wiring.PureInterface, prefix: str, ended: Value) -> None:
        names = ("addr", "len", "size", "burst", "id")
        self.now = {name: getattr(gp, prefix + name) for name in names}
        self.kept = {
            name: Signal.like(value, name=f"kept_{name}") for name, value in self.now.items()
        }
        self.open = Signal(name="burst_open")
        self.beat = Signal(6, name="beats_before")
        self.taken = getattr(gp, f"{prefix}valid") & getattr(gp, f"{prefix}ready")
        m.d.comb += Assert(~(self.open & self.taken))  # one at a time
        with m.If(self.taken):
            m.d.sync += [self.kept[name].eq(value) for name, value in self.now.items()]
            m.d.sync += [self.open.eq(1), self.beat.eq(0)]
        with m.Elif(ended):
            m.d.sync += self.open.eq(0)

    @property
    def address(self) -> Value:
        """Of the current beat: the first one's is the burst's, and all others are aligned."""
        first, size = self.kept["addr"], self.kept["size"][:2]
        places = [Cat(Const(0, shift), first[shift:]) + (self.beat << shift) for shift in range(4)]
        moves = (self.kept["burst"] == BURST_INCR) & (self.beat != 0)
        return Mux(moves, Array(places)[size], first)[:33]

    @property
    def outside(self) -> Value:
        return self.address[12:] != REGISTERS_BASE >> 12

    @property
    def unknown(self) -> Value:
        return (self.kept["size"] > 2) | (self.kept["burst"] > BURST_INCR)

    @property
    def refusal(self) -> Value:
        """What the current beat must be answered with if no register is to be touched."""
        first = self.first_refusal
        return Mux(first != OKAY, first, Mux(self.outside, DECERR, OKAY))

    @property
    def first_refusal(self) -> Value:
        """The same of the first beat."""
        first_outside = self.kept["addr"][12:] != REGISTERS_BASE >> 12
        return Mux(first_outside, DECERR, Mux(self.unknown, SLVERR, OKAY))


def _stays(m: Module, valid: Value, ready: Value, payload: list[Value], rule: type) -> None:
    """What is on offer stays until it is taken: ``rule`` is `Assume` or `Assert`."""
    values = Cat(*payload)
    waiting, before = Signal(), Signal.like(values)
    m.d.sync += [waiting.eq(valid & ~ready), before.eq(values)]
    m.d.comb += rule(~waiting | (valid & (values == before)))


def _offer(m: Module, port: wiring.PureInterface, channel: str, rule: type) -> None:
    names = [
        name
        for name in port.signature.members
        if name.startswith(channel) and name not in (f"{channel}valid", f"{channel}ready")
    ]
    _stays(
        m,
        getattr(port, f"{channel}valid"),
        getattr(port, f"{channel}ready"),
        [getattr(port, name) for name in names],
        rule,
    )


class _Monitor(wiring.Component):
    """``part`` with everything that comes into it free: inputs of the proof."""

    def __init__(self, part: wiring.Component) -> None:
        self.part = part
        free = {
            side: {
                name: In(member.shape)
                for name, member in getattr(part, side).signature.members.items()
                if member.flow == In
            }
            for side in ("gp", "registers")
        }
        super().__init__({side: Out(wiring.Signature(names)) for side, names in free.items()})

    def surround(self, m: Module) -> None:
        m.submodules.part = self.part
        for side in ("gp", "registers"):
            free = getattr(self, side)
            for name in free.signature.members:
                m.d.comb += getattr(getattr(self.part, side), name).eq(getattr(free, name))

    def never_idle(self, m: Module, others: Value) -> None:
        """If it is nobody else's turn, something happens soon; so the bridge cannot hang."""
        idle = Signal(range(IDLE_CYCLES + 2))
        m.d.sync += idle.eq(Mux(others, 0, idle + 1))
        m.d.comb += Assert(idle <= IDLE_CYCLES, SOON)


class ReadMonitor(_Monitor):
    """Reads: for every beat of every burst, the answer that it must have, and no access else."""

    def __init__(self) -> None:
        super().__init__(_Reads())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.surround(m)
        gp, registers = self.part.gp, self.part.registers
        given = gp.rvalid & gp.rready
        burst = _Accepted(m, gp, "ar", given & gp.rlast)
        self.burst = burst
        # of the current beat: a register has been asked; it has answered, with what
        asked, answered = Signal(), Signal()
        data, response = Signal(32), Signal(2)
        with m.If(registers.arvalid & registers.arready):
            m.d.sync += asked.eq(1)
        with m.If(registers.rvalid):
            m.d.sync += [answered.eq(1), data.eq(registers.rdata), response.eq(registers.rresp)]
        with m.If(given):
            m.d.sync += [asked.eq(0), answered.eq(0), burst.beat.eq(burst.beat + 1)]
        _offer(m, gp, "ar", Assume)
        _offer(m, gp, "r", Assert)
        _offer(m, registers, "ar", Assert)
        refused = burst.refusal != OKAY
        m.d.comb += [
            Assume(~registers.rvalid | (asked & ~answered)),
            Assert(registers.rready),
            Assert(~registers.arvalid | (burst.open & ~refused & ~asked), ACCESSED),
            Assert(~registers.arvalid | (registers.araddr == burst.address[:12])),
            Assert(~asked | (burst.open & ~refused)),
            Assert(~gp.rvalid | burst.open),
            Assert(~gp.rvalid | (gp.rid == burst.kept["id"]), ANSWERED),
            Assert(~gp.rvalid | (gp.rlast == (burst.beat == burst.kept["len"]))),
            Assert(~burst.open | (burst.beat <= burst.kept["len"])),
            Assert(
                ~gp.rvalid | refused | (answered & (Cat(gp.rdata, gp.rresp) == Cat(data, response)))
            ),
            Assert(~(gp.rvalid & refused) | ((gp.rresp == burst.refusal) & (gp.rdata == 0))),
        ]
        self.never_idle(m, gp.rvalid | registers.arvalid | (asked & ~answered) | gp.arready)
        self._invariants(m, asked, answered)
        self._reach(m, given)
        return m

    def _invariants(self, m: Module, asked: Value, answered: Value) -> None:
        """What ties the bridge's registers to the burst; without it no induction holds."""
        part, burst = self.part, self.burst
        gp, registers = part.gp, part.registers
        m.d.comb += [
            Assert(part.busy == burst.open),
            Assert(part.accessing == (registers.arvalid | (asked & ~answered))),
            Assert(~(part.accessing & gp.rvalid)),
            Assert(~answered | gp.rvalid),
            Assert(~gp.arready | ~part.busy),
            *_burst_is_right(part.burst, burst),
            Assert(~part.busy | (part.burst.left == burst.kept["len"] - burst.beat)),
        ]

    def _reach(self, m: Module, given: Value) -> None:
        """What must be possible, lest the proof be of nothing."""
        burst, gp = self.burst, self.part.gp
        last = given & gp.rlast
        m.d.comb += [
            Cover(last & (burst.beat == 2) & (gp.rresp == OKAY)),
            Cover(last & (gp.rresp == DECERR)),
            Cover(last & burst.unknown & (gp.rresp == SLVERR)),
        ]


class WriteMonitor(_Monitor):
    """Writes: data at any time and of any length, and for every burst the answer it must have.

    pending, beat : a beat was taken and is not carried out; its data, strobes and WLAST
    addressed, written : its register access has got so far
    over : the beats that the length allows are used up; miscounted : more or fewer have come
    answer, worst : the burst has ended; the worst of its beats so far
    """

    def __init__(self) -> None:
        super().__init__(_Writes())
        self.pending, self.beat = Signal(), Signal(32 + 4 + 1)
        self.addressed, self.written = Signal(), Signal()
        self.over, self.miscounted = Signal(), Signal()
        self.answer, self.worst = Signal(), Signal(2)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.surround(m)
        gp, registers = self.part.gp, self.part.registers
        given = gp.bvalid & gp.bready
        self.burst = burst = _Accepted(m, gp, "aw", given)
        refusal = Mux(self.over & (burst.first_refusal == OKAY), SLVERR, burst.refusal)
        self.refused = refusal != OKAY
        done = burst.open & self.pending & ~gp.bvalid & (self.refused | registers.bvalid)
        self._follow_beat(m, done)
        self._follow_burst(m, done, given, Mux(self.refused, refusal, registers.bresp))
        for channel in ("aw", "w"):
            _offer(m, gp, channel, Assume)
            _offer(m, registers, channel, Assert)
        _offer(m, gp, "b", Assert)
        self._rules(m)
        self._progress(m)
        self._invariants(m)
        self._reach(m, given, done & self.miscounted)
        return m

    def _follow_beat(self, m: Module, done: Value) -> None:
        gp, registers = self.part.gp, self.part.registers
        taken = gp.wvalid & gp.wready
        m.d.comb += Assert(~(taken & self.pending))
        with m.If(taken):
            m.d.sync += [self.pending.eq(1), self.beat.eq(Cat(gp.wdata, gp.wstrb, gp.wlast))]
        with m.Elif(done):
            m.d.sync += self.pending.eq(0)
        addressed = self.addressed | (registers.awvalid & registers.awready)
        written = self.written | (registers.wvalid & registers.wready)
        m.d.sync += [self.addressed.eq(~done & addressed), self.written.eq(~done & written)]

    def _follow_burst(self, m: Module, done: Value, given: Value, response: Value) -> None:
        burst, last = self.burst, self.beat[-1]
        full = burst.beat == burst.kept["len"]
        wrong = last != full
        with m.If(burst.taken):
            m.d.sync += [each.eq(0) for each in (self.over, self.miscounted, self.answer)]
            m.d.sync += self.worst.eq(OKAY)
        with m.Elif(done):
            m.d.sync += [
                self.worst.eq(_greatest(self.worst, response, Mux(wrong, SLVERR, OKAY))),
                self.over.eq(self.over | (~last & full)),
                self.miscounted.eq(self.miscounted | wrong),
                self.answer.eq(last),
                burst.beat.eq(burst.beat + (burst.beat != 63)),
            ]
        with m.Elif(given):
            m.d.sync += self.answer.eq(0)

    def _rules(self, m: Module) -> None:
        gp, registers, burst = self.part.gp, self.part.registers, self.burst
        accessed = registers.awvalid | registers.wvalid | self.addressed | self.written
        m.d.comb += [
            Assume(~registers.bvalid | (self.addressed & self.written)),
            Assert(registers.bready),
            Assert(~accessed | (burst.open & self.pending & ~self.refused), ACCESSED),
            Assert(~registers.awvalid | ~self.addressed),
            Assert(~registers.wvalid | ~self.written),
            Assert(~registers.awvalid | (registers.awaddr == burst.address[:12])),
            Assert(~self.pending | (Cat(registers.wdata, registers.wstrb) == self.beat[:-1])),
            Assert(gp.bvalid == self.answer),
            Assert(~gp.bvalid | burst.open),
            Assert(~gp.bvalid | (gp.bid == burst.kept["id"]), ANSWERED),
            Assert(~gp.bvalid | (gp.bresp == self.worst), WORST),
        ]

    def _progress(self, m: Module) -> None:
        gp, registers, burst = self.part.gp, self.part.registers, self.burst
        theirs = registers.awvalid | registers.wvalid | (self.addressed & self.written)
        self.never_idle(m, theirs | gp.bvalid | gp.awready | (burst.open & ~self.pending))
        # while the master is awaited, it must be possible for it to come
        unready = Signal(range(IDLE_CYCLES + 2))
        m.d.sync += unready.eq(Mux(self.pending | gp.wready, 0, unready + 1))
        m.d.comb += Assert(unready <= IDLE_CYCLES, AWAITED)

    def _invariants(self, m: Module) -> None:
        """What ties the bridge's registers to the burst; without it no induction holds."""
        part, burst = self.part, self.burst
        gp, registers = part.gp, part.registers
        length = burst.kept["len"]
        counting = burst.open & ~self.over & ~gp.bvalid
        m.d.comb += [
            Assert(part.busy == burst.open),
            Assert(part.held == self.pending),
            Assert(~self.pending | (part.last == self.beat[-1])),
            Assert(part.accessing == (registers.awvalid | self.addressed)),
            Assert(part.accessing == (registers.wvalid | self.written)),
            Assert(~part.accessing | ~gp.bvalid),
            Assert(~gp.awready | ~part.busy),
            *_burst_is_right(part.burst, burst, self.miscounted),
            Assert(~counting | (part.burst.left == length - burst.beat)),
            Assert(~counting | (burst.beat <= length)),
            Assert(~(burst.open & self.over) | (self.miscounted & (burst.beat > length))),
            Assert(~(burst.open & self.over) | gp.bresp[1]),
            Assert(~(burst.open & self.miscounted) | self.over | gp.bvalid),
            Assert(~burst.open | (gp.bresp == self.worst)),
        ]

    def _reach(self, m: Module, given: Value, miscounted: Value) -> None:
        """What must be possible, lest the proof be of nothing."""
        burst, gp = self.burst, self.part.gp
        early = Signal()  # data came before the address of its burst
        with m.If(gp.wvalid & gp.wready & ~burst.open & ~burst.taken):
            m.d.sync += early.eq(1)
        m.d.comb += [
            Cover(given & early & (burst.beat == 3) & (gp.bresp == OKAY)),
            Cover(given & (gp.bresp == DECERR)),
            Cover(given & burst.unknown),
            Cover(miscounted),
        ]


def _greatest(*values: Value | int) -> Value:
    worst, *others = values
    for each in others:
        worst = Mux(each > worst, each, worst)
    return worst


def _burst_is_right(inside: Any, burst: _Accepted, miscounted: Value | None = None) -> list:
    """The bridge's own notes of a burst are what AXI3 says of it."""
    wrong, place = inside.wrong, inside.place
    kept, first = burst.kept, burst.first_refusal
    spoilt = Const(0) if miscounted is None else miscounted
    good = burst.open & (wrong == OKAY)
    return [
        Assert(~burst.open | (inside.id == kept["id"])),
        Assert(~burst.open | (wrong == Mux(spoilt & (first == OKAY), SLVERR, first))),
        Assert(~good | (inside.size == kept["size"])),
        Assert(~good | (inside.increments == kept["burst"][0])),
        Assert(~good | Mux(place[-1], burst.outside, place == burst.address - REGISTERS_BASE)),
    ]
