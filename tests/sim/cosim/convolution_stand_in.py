"""A small machine with the ports of the convolution engine, to test the harness around it.

It has no array: it copies memory, or only reads or writes it, as fast as its ports allow. What
it can do beyond that is go wrong.
"""

from amaranth import Cat, Module, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import registers
from fractrain.hw.contract.commands import Fault, Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.sim.cosim.convolution_ports import AXI_LITE_WIDTHS
from tests.sim.cosim.stand_in_mover import AXI3, Flaw, Mode, Mover, signature

BUSY = next(each for each in registers.COUNTERS if each.name == "BUSY").address(Tag.FORWARD)
FLAW = 20
"""Word address of a register that the engine has not."""

AXI_LITE = signature(AXI_LITE_WIDTHS, ("ar", "aw", "w"))


def program(mode: Mode, count: int) -> int:
    """PROGRAM_COMMANDS for the stand-in."""
    return mode << 16 | count


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
