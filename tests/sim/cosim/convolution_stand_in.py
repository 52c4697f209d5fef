"""A small machine with the ports of the convolution engine, to test the harness around it.

It has no array: it copies memory, or only reads or writes it, as fast as its ports allow. What
it can do beyond that is go wrong.
"""

import enum

from amaranth import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import registers
from fractrain.hw.contract.commands import Fault, Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.sim.cosim.convolution_ports import AXI3_WIDTHS, AXI_LITE_WIDTHS

GRANULE = 128
BEATS = GRANULE // 8
HELD = 8
"""Granules that a port holds, and bursts that it has under way."""
BUSY = next(each for each in registers.COUNTERS if each.name == "BUSY").address(Tag.FORWARD)


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
    """Ways to break the rules, chosen by what is written to `FLAW`."""

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


FLAW = 20
"""Word address of a register that the engine has not."""


def program(mode: Mode, count: int) -> int:
    """PROGRAM_COMMANDS for the stand-in."""
    return mode << 16 | count


def _signature(widths: dict[str, int], from_master: tuple[str, ...]) -> wiring.Signature:
    def is_output(name: str) -> bool:
        channel = next(each for each in ("ar", "aw", "r", "w", "b") if name.startswith(each))
        return (channel in from_master) != name.endswith("ready")

    return wiring.Signature(
        {name: Out(width) if is_output(name) else In(width) for name, width in widths.items()}
    )


AXI3 = _signature(AXI3_WIDTHS, ("ar", "aw", "w"))
AXI_LITE = _signature(AXI_LITE_WIDTHS, ("ar", "aw", "w"))


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


class ConvolutionStandIn(wiring.Component):
    """Registers, ports and the beats of port 0.

    Result ``r`` of a beat is the last 64 bits of the granule, rotated up by ``r`` and cut to the
    width, ``last`` their top bit. FAULT_INDEX shows the granules that port 0 has sent. Registers
    that have no function keep what is written to them.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        beat = data.StructLayout(
            {
                "data": data.ArrayLayout(SUM_BITS, parameters.results_per_beat),
                "last": 1,
            }
        )
        members = {f"hp{port}": Out(AXI3) for port in range(parameters.memory.ports)}
        super().__init__(
            members
            | {
                "axi_lite": In(AXI_LITE),
                "port": Out(stream.Signature(beat)),
                "interrupt": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ports = self._parameters.memory.ports
        self._clear = Signal()
        self._running, self._fault, self._draining = Signal(), Signal(Fault), Signal()
        self._base, self._commands, self._sent = Signal(32), Signal(32), Signal(32)
        self._done, self._flaw = Signal(), Signal(Flaw)
        movers = []
        for number in range(ports):
            mover = Mover(number, ports)
            m.submodules[f"mover{number}"] = ResetInserter(self._clear)(mover)
            wiring.connect(m, wiring.flipped(getattr(self, f"hp{number}")), mover.hp)
            m.d.comb += [
                mover.run.eq(self._running),
                mover.base.eq(self._base),
                mover.flaw.eq(self._flaw if number == 0 else Flaw.NONE),
                mover.count.eq(self._commands[:16]),
                mover.mode.eq(self._commands[16:18]),
            ]
            movers.append(mover)
        self._registers(m)
        self._control(m, movers)
        self._beats(m, movers[0])
        return m

    def _control(self, m: Module, movers: list[Mover]) -> None:
        done, pending = self._done, Signal()
        quiet = Cat(each.quiet for each in movers).all()
        ended = Cat(each.ended for each in movers).all() & ~self.port.valid
        errors = {
            Fault.READ_ERROR: Cat(each.read_error for each in movers).any(),
            Fault.WRITE_ERROR: Cat(each.write_error for each in movers).any(),
        }
        control = self._written & (self._write_to == registers.CONTROL.address)
        with m.If(self._running & ended & (self._commands[16:18] != Mode.HANG)):
            m.d.sync += [self._running.eq(0), done.eq(1), pending.eq(1)]
            m.d.comb += self._clear.eq(1)
        for fault, happens in errors.items():
            with m.If(self._running & happens):
                m.d.sync += [self._running.eq(0), self._fault.eq(fault), pending.eq(1)]
        with m.If(control & self._write_data[registers.START.offset]):
            m.d.sync += [self._running.eq(1), done.eq(0), self._sent.eq(0)]
        with m.If(control & self._write_data[registers.RESET.offset]):
            m.d.sync += [self._running.eq(0), done.eq(0), self._fault.eq(0), self._draining.eq(1)]
        with m.If(self._draining & quiet):
            m.d.sync += self._draining.eq(0)
            m.d.comb += self._clear.eq(1)
        with m.If(self._written & (self._write_to == registers.INTERRUPT.address)):
            m.d.sync += pending.eq(pending & ~self._write_data[0])
        m.d.comb += self.interrupt.eq(pending & self._enable)

    def _registers(self, m: Module) -> None:
        """One access at a time, a write's address and data in any order."""
        bus = self.axi_lite
        self._written, self._write_to = Signal(), Signal(10)
        self._write_data, self._enable = Signal(32), Signal()
        has_address, has_data, reading = Signal(), Signal(), Signal()
        m.submodules.kept = kept = Memory(shape=32, depth=1024, init=[])
        read, write = kept.read_port(), kept.write_port()
        m.d.comb += [
            bus.awready.eq(~has_address & ~bus.bvalid),
            bus.wready.eq(~has_data & ~bus.bvalid),
            self._written.eq(has_address & has_data),
            write.addr.eq(self._write_to),
            write.data.eq(self._write_data),
            write.en.eq(self._written),
            bus.arready.eq(~reading & ~bus.rvalid),
            read.addr.eq(bus.araddr[2:]),
            read.en.eq(bus.arready),
        ]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [has_address.eq(1), self._write_to.eq(bus.awaddr[2:])]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [has_data.eq(1), self._write_data.eq(bus.wdata)]
        with m.If(self._written):
            m.d.sync += [has_address.eq(0), has_data.eq(0), bus.bvalid.eq(1)]
            for register, value in (
                (registers.PROGRAM_ADDRESS, self._base),
                (registers.PROGRAM_COMMANDS, self._commands),
                (registers.INTERRUPT_ENABLE, self._enable),
            ):
                with m.If(self._write_to == register.address):
                    m.d.sync += value.eq(self._write_data)
            with m.If(self._write_to == FLAW):
                m.d.sync += self._flaw.eq(self._write_data)
        with m.If(bus.bvalid & bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        read_from = Signal(10)
        m.d.sync += [reading.eq(bus.arvalid & bus.arready), read_from.eq(bus.araddr[2:])]
        value = self._value(m, read_from, read.data)
        with m.If(reading):
            m.d.sync += [bus.rvalid.eq(1), bus.rdata.eq(value)]
        with m.If(bus.rvalid & bus.rready):
            m.d.sync += bus.rvalid.eq(0)

    def _value(self, m: Module, address: Signal, kept: Signal) -> Signal:
        value = Signal(32)
        status, busy = Signal(32), Signal(64)
        with m.If(self._running):
            m.d.sync += busy.eq(busy + 1)
        with m.If(self._written & (self._write_to == registers.CONTROL.address)):
            with m.If(self._write_data[registers.CLEAR_COUNTERS.offset]):
                m.d.sync += busy.eq(0)
        m.d.comb += value.eq(kept)
        with m.If(address == registers.STATUS.address):
            m.d.comb += value.eq(status)
        with m.If(address == registers.FAULT_INDEX.address):
            m.d.comb += value.eq(self._sent)
        with m.If(address == BUSY):
            m.d.comb += value.eq(busy)
        for field, bit in (
            (registers.IDLE, ~self._running & ~self._draining),
            (registers.DONE, self._done),
            (registers.FAULT, self._fault != Fault.NONE),
            (registers.DRAINING, self._draining),
        ):
            m.d.comb += status[field.offset].eq(bit)
        m.d.comb += status[registers.CAUSE.offset : registers.CAUSE.offset + 8].eq(self._fault)
        return value

    def _beats(self, m: Module, mover: Mover) -> None:
        hp, port = mover.hp, self.port
        held = Signal()
        waiting = Signal()
        payload = Signal.like(port.payload.as_value())
        width = SUM_BITS
        m.d.comb += [
            mover.hold.eq(waiting),
            port.valid.eq(waiting & ~(held & (self._flaw == Flaw.PORT_DROPS))),
            port.payload.as_value().eq(payload ^ (held & (self._flaw == Flaw.PORT_CHANGES))),
        ]
        m.d.sync += held.eq(port.valid & ~port.ready)
        with m.If(port.valid & port.ready):
            m.d.sync += waiting.eq(0)
        copying = self._commands[16:18] == Mode.COPY
        with m.If(hp.wvalid & hp.wready & hp.wlast & copying):
            count = self._parameters.results_per_beat
            results = [hp.wdata.rotate_left(index)[:width] for index in range(count)]
            m.d.sync += [
                waiting.eq(1),
                payload.eq(Cat(*results, hp.wdata[-1])),
                self._sent.eq(self._sent + 1),
            ]
        with m.If(self._clear):
            m.d.sync += waiting.eq(0)
