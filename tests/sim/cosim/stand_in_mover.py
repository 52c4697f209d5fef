"""One memory port of the stand-in for the engine: what it moves, and how it goes wrong."""

import enum

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from fractrain.sim.cosim.convolution_ports import AXI3_WIDTHS

GRANULE = 128
BEATS = GRANULE // 8
HELD = 8
"""Granules that a port holds, and bursts that it has under way."""


class Mode(enum.IntEnum):
    """What is done with ``count`` granules from PROGRAM_ADDRESS on."""

    COPY = 0
    """To where they end. Port ``i % ports`` takes granule ``i``; port 0 sends a beat for each of
    its own."""
    READ = 1
    WRITE = 2
    """Every beat gets its number."""
    HANG = 3


class Flaw(enum.IntEnum):
    """Ways to break the rules, chosen by what is written to the register `FLAW`
    (`convolution_stand_in`)."""

    NONE = 0
    SIZE = 1
    TYPE = 2
    ALIGNMENT = 3
    BOUNDARY = 4
    AR_DROPS = 5
    AW_CHANGES = 6
    W_DROPS = 7
    W_CHANGES = 8
    LAST_EARLY = 9
    LAST_MISSING = 10
    ID = 11
    PORT_DROPS = 12
    PORT_CHANGES = 13


def signature(widths: dict[str, int], from_master: tuple[str, ...]) -> wiring.Signature:
    def is_output(name: str) -> bool:
        channel = next(each for each in ("ar", "aw", "r", "w", "b") if name.startswith(each))
        return (channel in from_master) != name.endswith("ready")

    return wiring.Signature(
        {name: Out(width) if is_output(name) else In(width) for name, width in widths.items()}
    )


AXI3 = signature(AXI3_WIDTHS, ("ar", "aw", "w"))


class Mover(wiring.Component):
    """One port: reads and writes the granules ``number``, ``number + ports``, … below ``count``.

    ``ended`` once all is done; ``quiet`` when no answer is awaited; ``read_error`` and
    ``write_error`` at the answer; ``hold`` keeps back the last beat of each granule.
    """

    def __init__(self, number: int, ports: int) -> None:
        self._number, self._ports = number, ports
        super().__init__(
            {
                "hp": Out(AXI3),
                "run": In(1),
                "mode": In(Mode),
                "flaw": In(Flaw),
                "base": In(32),
                "count": In(16),
                "hold": In(1),
                "ended": Out(1),
                "quiet": Out(1),
                "read_error": Out(1),
                "write_error": Out(1),
            }
        )

    def _broken(self, flaw: Flaw) -> Value:
        return self.flaw == flaw

    def elaborate(self, platform: object) -> Module:
        m = Module()
        hp = self.hp
        self._reads = Signal()
        self._writes = Signal()
        m.d.comb += [
            self._reads.eq(self.mode != Mode.WRITE),
            self._writes.eq(self.mode != Mode.READ),
            self.read_error.eq(hp.rvalid & hp.rready & (hp.rresp != 0)),
            self.write_error.eq(hp.bvalid & hp.bready & (hp.bresp != 0)),
        ]
        self._reading, self._writing = Signal(8), Signal(8)  # bursts under way
        self._taken, self._freed = Signal(), Signal()  # a granule has come in, has left
        read_all, written_all = self._read(m), self._write(m)
        m.d.comb += [
            self.quiet.eq((self._reading == 0) & (self._writing == 0)),
            self.ended.eq((read_all | ~self._reads) & (written_all | ~self._writes) & self.quiet),
        ]
        return m

    def _read(self, m: Module) -> Signal:
        hp = self.hp
        index, room = Signal(17, init=self._number), Signal(8, init=HELD)
        read_all, issue = Signal(), Signal()
        m.d.comb += [
            read_all.eq(index >= self.count),
            hp.rready.eq(1),
            self._taken.eq(hp.rvalid & hp.rlast),
            hp.arlen.eq(BEATS - 1),
            hp.arsize.eq(3 - self._broken(Flaw.SIZE)),
            hp.arburst.eq(1),
            hp.arid.eq(self._number + 1),
        ]
        m.d.comb += issue.eq(
            self.run & self._reads & ~read_all & (room != 0) & (~hp.arvalid | hp.arready)
        )
        with m.If(hp.arready | self._broken(Flaw.AR_DROPS)):
            m.d.sync += hp.arvalid.eq(0)
        with m.If(issue):
            address = self.base + GRANULE * index
            m.d.sync += [
                hp.arvalid.eq(1),
                hp.araddr.eq(
                    address + Mux(self._broken(Flaw.ALIGNMENT), 4, 0)
                    | Mux(self._broken(Flaw.BOUNDARY), 4096 - 64, 0)
                ),
                index.eq(index + self._ports),
            ]
        m.d.sync += [
            room.eq(room - issue + Mux(self._writes, self._freed, self._taken)),
            self._reading.eq(self._reading + issue - self._taken),
        ]
        return read_all

    def _write(self, m: Module) -> Signal:
        hp = self.hp
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=64, depth=HELD * BEATS)
        index, allowed = Signal(17, init=self._number), Signal(8)
        complete = Signal(8)  # granules that have come in and have no write yet
        beat, number = Signal(range(BEATS)), Signal(17, init=self._number)
        issue, sent, copying, last = Signal(), Signal(), Signal(), Signal()
        written_all = Signal()
        m.d.comb += [
            written_all.eq(index >= self.count),
            copying.eq(self._reads & self._writes),
            fifo.w_data.eq(hp.rdata),
            fifo.w_en.eq(hp.rvalid & copying),
            issue.eq(
                self.run
                & self._writes
                & ~written_all
                & ((complete != 0) | ~copying)
                & (self._writing < HELD)
                & (~hp.awvalid | hp.awready)
            ),
            last.eq(beat == BEATS - 1),
            hp.wvalid.eq((allowed != 0) & (fifo.r_rdy | ~copying) & ~(last & self.hold)),
            hp.wdata.eq(Mux(copying, fifo.r_data, Cat(beat, number))),
            hp.wstrb.eq(0xFF),
            hp.wid.eq(self._number + 1 + self._broken(Flaw.ID)),
            hp.wlast.eq(
                Mux(self._broken(Flaw.LAST_EARLY), beat == BEATS - 2, last)
                & ~self._broken(Flaw.LAST_MISSING)
            ),
            fifo.r_en.eq(hp.wvalid & hp.wready & copying),
            sent.eq(hp.wvalid & hp.wready & last),
            self._freed.eq(sent),
            hp.awlen.eq(BEATS - 1),
            hp.awsize.eq(3),
            hp.awburst.eq(~self._broken(Flaw.TYPE)),
            hp.awid.eq(self._number + 1),
            hp.bready.eq(1),
        ]
        self._break_write_rules(m)
        with m.If(hp.awready):
            m.d.sync += hp.awvalid.eq(0)
        with m.If(issue):
            target = self.base + GRANULE * index
            m.d.sync += [
                hp.awvalid.eq(1),
                hp.awaddr.eq(target + Mux(copying, GRANULE * self.count, 0)),
                index.eq(index + self._ports),
            ]
        with m.If(hp.wvalid & hp.wready):
            m.d.sync += beat.eq(beat + 1)
        with m.If(sent):
            m.d.sync += number.eq(number + self._ports)
        m.d.sync += [
            allowed.eq(allowed + issue - sent),
            complete.eq(complete + (self._taken & copying) - (issue & copying)),
            self._writing.eq(self._writing + issue - hp.bvalid),
        ]
        return written_all

    def _break_write_rules(self, m: Module) -> None:
        hp = self.hp
        held = Signal()  # an offer that was not accepted in its first cycle
        m.d.sync += held.eq(hp.wvalid & ~hp.wready)
        with m.If(held & self._broken(Flaw.W_DROPS)):
            m.d.comb += hp.wvalid.eq(0)
        with m.If(held & self._broken(Flaw.W_CHANGES)):
            m.d.comb += hp.wstrb.eq(0xFE)
        with m.If(hp.awvalid & self._broken(Flaw.AW_CHANGES)):
            m.d.sync += hp.awaddr.eq(hp.awaddr ^ GRANULE)
