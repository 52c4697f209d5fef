"""From the GP0 master of a Zynq-7000, which speaks AXI3, to registers on AXI4-Lite."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.signature import AXI3_GP, BURST_INCR, DECERR, OKAY, SLVERR
from fractrain.hw.contract.registers import REGISTERS_BYTES
from fractrain.hw.control.axi_lite import AXI_LITE
from fractrain.hw.targets.zynq import REGISTERS_BASE

__all__ = ["GpBridge"]

OFFSET_BITS = (REGISTERS_BYTES - 1).bit_length()
WIDEST_SIZE = 2  # AxSIZE of beats of 32 bits


class GpBridge(wiring.Component):
    """Bursts of up to 16 beats, taken one at a time; every beat is one access to a register.

    Members
    -------
    gp : In(`AXI3_GP`)           the processing system's master
    registers : Out(`AXI_LITE`)  byte addresses from `REGISTERS_BASE` on

    IDs: BID and RID repeat the address's. WID is ignored: data come in the order of the addresses,
    as this slave does not interleave (AXI3: write data interleaving depth 1); the first beat of a
    burst may come before its address.

    Bursts: INCR and FIXED, of beats of 1, 2 or 4 bytes. A read always gives the whole word;
    `AxiLiteSlave` refuses a beat written without all four strobes. A beat outside the
    `REGISTERS_BYTES` at `REGISTERS_BASE` gets DECERR; every beat of a WRAP burst, or of beats wider
    than the data, gets SLVERR. Such a beat touches no register. The response to a write is the
    worst one of its beats. A write burst ends with WLAST, and only there: beats beyond AWLEN touch
    no register, and with more or fewer beats than AWLEN says, the response is at least SLVERR.
    AxLOCK is ignored, as AXI3 permits without exclusive accesses (the response is OKAY instead of
    EXOKAY); locking has no meaning with a single master. AxCACHE, AxPROT and AxQOS are ignored,
    too.

    Reads and writes do not wait for each other here; the slave alternates between them. The bridge
    waits as long as ``registers`` does not answer: its proof assumes an answer, and `AxiLiteSlave`
    always gives one.

    Timing: every output is a register, or constant. Two cycles and the slave's time for a beat, and
    two for a burst. READY is low until the first cycle after a reset.
    """

    def __init__(self) -> None:
        super().__init__({"gp": In(AXI3_GP), "registers": Out(AXI_LITE)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.reads, m.submodules.writes = reads, writes = _Reads(), _Writes()
        for half in (reads, writes):
            for mine, its in ((self.gp, half.gp), (self.registers, half.registers)):
                for name, member in its.signature.members.items():
                    inner, outer = getattr(its, name), getattr(mine, name)
                    m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        return m


def _channels(signature: wiring.Signature, *prefixes: str) -> wiring.Signature:
    """The channels of ``signature`` with signals of one of ``prefixes``."""
    members = signature.members.items()
    return wiring.Signature({name: each for name, each in members if name.startswith(prefixes)})


class _Burst:
    """The burst at work, by its address.

    wrong : the response to all of its beats, `OKAY` if they go to registers
    place : byte address of the current beat, from the first register on; a bit wider, so that a
        burst beyond the last register does not wrap to the first
    left : beats that its length allows after the current one
    """

    def __init__(self, gp: wiring.PureInterface, prefix: str) -> None:
        self._channel = {
            name: getattr(gp, prefix + name)
            for name in ("addr", "len", "size", "burst", "id", "valid", "ready")
        }
        self.id, self.left = Signal(12), Signal(4)
        self.place = Signal(OFFSET_BITS + 1)
        self.size, self.increments = Signal(2), Signal()
        self.wrong = Signal(2)

    def take(self, m: Module) -> Value:
        """Offer to take an address, and take it; returns whether it is taken in this cycle."""
        channel = self._channel
        taken = channel["valid"] & channel["ready"]
        outside = channel["addr"][OFFSET_BITS:] != REGISTERS_BASE >> OFFSET_BITS
        unknown = (channel["size"] > WIDEST_SIZE) | channel["burst"][1]
        m.d.sync += channel["ready"].eq(~taken)
        with m.If(taken):
            m.d.sync += [
                self.id.eq(channel["id"]),
                self.left.eq(channel["len"]),
                self.place.eq(channel["addr"][:OFFSET_BITS]),
                self.size.eq(channel["size"]),
                self.increments.eq(channel["burst"] == BURST_INCR),
                self.wrong.eq(Mux(outside, DECERR, Mux(unknown, SLVERR, OKAY))),
            ]
        return taken

    @property
    def refusal(self) -> Value:
        """The response to the current beat, `OKAY` if it goes to a register."""
        return Mux((self.wrong == OKAY) & self.place[-1], DECERR, self.wrong)

    def advance(self, m: Module) -> None:
        """Go on to the next beat. The first one need not be aligned to its size, all others are."""
        m.d.sync += self.left.eq(self.left - 1)
        with m.If(self.increments & ~self.place[-1]):
            word, half = self.place[2:] + 1, self.place[1:] + 1
            with m.Switch(self.size):
                with m.Case(0):
                    m.d.sync += self.place.eq(self.place + 1)
                with m.Case(1):
                    m.d.sync += self.place.eq(Cat(Const(0, 1), half[:OFFSET_BITS]))
                with m.Default():
                    m.d.sync += self.place.eq(Cat(Const(0, 2), word[: OFFSET_BITS - 1]))


class _Reads(wiring.Component):
    """The read channels of `GpBridge`.

    busy : a burst is at work; accessing : its current beat is at the registers
    """

    def __init__(self) -> None:
        prefixes = ("ar", "r")
        super().__init__(
            {
                "gp": In(_channels(AXI3_GP, *prefixes)),
                "registers": Out(_channels(AXI_LITE, *prefixes)),
            }
        )
        self.burst = _Burst(self.gp, "ar")
        self.busy, self.accessing = Signal(), Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        gp, registers, burst = self.gp, self.registers, self.burst
        m.d.comb += [gp.rid.eq(burst.id), registers.rready.eq(1)]
        with m.If(~self.busy):
            m.d.sync += self.busy.eq(burst.take(m))
        with m.Elif(gp.rvalid):
            with m.If(gp.rready):
                m.d.sync += [gp.rvalid.eq(0), self.busy.eq(~gp.rlast)]
                burst.advance(m)
        with m.Elif(self.accessing):
            with m.If(registers.arready):
                m.d.sync += registers.arvalid.eq(0)
            with m.If(registers.rvalid):
                m.d.sync += self.accessing.eq(0)
                self._answer(m, registers.rdata, registers.rresp)
        with m.Elif(burst.refusal != OKAY):
            self._answer(m, 0, burst.refusal)
        with m.Else():
            m.d.sync += [
                registers.araddr.eq(burst.place[:OFFSET_BITS]),
                registers.arvalid.eq(1),
                self.accessing.eq(1),
            ]
        return m

    def _answer(self, m: Module, data: Value | int, response: Value) -> None:
        m.d.sync += [
            self.gp.rdata.eq(data),
            self.gp.rresp.eq(response),
            self.gp.rlast.eq(self.burst.left == 0),
            self.gp.rvalid.eq(1),
        ]


class _Writes(wiring.Component):
    """The write channels of `GpBridge`.

    busy, accessing : as in `_Reads`
    held, last : a beat of data is here; it is the last of its burst
    """

    def __init__(self) -> None:
        prefixes = ("aw", "w", "b")
        super().__init__(
            {
                "gp": In(_channels(AXI3_GP, *prefixes)),
                "registers": Out(_channels(AXI_LITE, *prefixes)),
            }
        )
        self.burst = _Burst(self.gp, "aw")
        self.busy, self.accessing = Signal(), Signal()
        self.held, self.last = Signal(), Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        gp, registers, burst = self.gp, self.registers, self.burst
        self._take_data(m)
        m.d.comb += [gp.bid.eq(burst.id), registers.bready.eq(1)]
        with m.If(~self.busy):
            m.d.sync += [self.busy.eq(burst.take(m)), gp.bresp.eq(OKAY)]
        with m.Elif(gp.bvalid):
            with m.If(gp.bready):
                m.d.sync += [gp.bvalid.eq(0), self.busy.eq(0)]
        with m.Elif(self.accessing):
            with m.If(registers.awready):
                m.d.sync += registers.awvalid.eq(0)
            with m.If(registers.wready):
                m.d.sync += registers.wvalid.eq(0)
            with m.If(registers.bvalid):
                m.d.sync += self.accessing.eq(0)
                self._end_beat(m, registers.bresp)
        with m.Elif(self.held & (burst.refusal != OKAY)):
            self._end_beat(m, burst.refusal)
        with m.Elif(self.held):
            m.d.sync += [
                registers.awaddr.eq(burst.place[:OFFSET_BITS]),
                registers.awvalid.eq(1),
                registers.wvalid.eq(1),
                self.accessing.eq(1),
            ]
        return m

    def _take_data(self, m: Module) -> None:
        """One beat, at any time: no channel waits for another."""
        gp, registers = self.gp, self.registers
        taken = gp.wvalid & gp.wready
        m.d.sync += gp.wready.eq(~self.held & ~taken)
        with m.If(taken):
            m.d.sync += [
                self.held.eq(1),
                self.last.eq(gp.wlast),
                registers.wdata.eq(gp.wdata),
                registers.wstrb.eq(gp.wstrb),
            ]

    def _end_beat(self, m: Module, response: Value) -> None:
        gp, burst = self.gp, self.burst
        # WLAST comes with the last beat that the length allows, or the count is wrong.
        miscounted = self.last != (burst.left == 0)
        worst = Mux(response > gp.bresp, response, gp.bresp)
        m.d.sync += [
            self.held.eq(0),
            gp.bresp.eq(Mux(miscounted & ~worst[1], SLVERR, worst)),
            gp.bvalid.eq(self.last),
        ]
        burst.advance(m)
        with m.If(miscounted & (burst.wrong == OKAY)):
            m.d.sync += burst.wrong.eq(SLVERR)  # for what comes after the length is used up
