"""AXI4-Lite in front of the register bus."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.registers import ADDRESS_BITS
from fractrain.hw.control.registers import register_bus

__all__ = ["AXI_LITE", "AxiLiteSlave"]

BYTE_ADDRESS_BITS = ADDRESS_BITS + 2
OKAY, SLVERR = 0b00, 0b10

AXI_LITE = wiring.Signature(
    {
        "awaddr": Out(BYTE_ADDRESS_BITS),
        "awprot": Out(3),
        "awvalid": Out(1),
        "awready": In(1),
        "wdata": Out(32),
        "wstrb": Out(4),
        "wvalid": Out(1),
        "wready": In(1),
        "bresp": In(2),
        "bvalid": In(1),
        "bready": Out(1),
        "araddr": Out(BYTE_ADDRESS_BITS),
        "arprot": Out(3),
        "arvalid": Out(1),
        "arready": In(1),
        "rdata": In(32),
        "rresp": In(2),
        "rvalid": In(1),
        "rready": Out(1),
    }
)
"""AXI4-Lite, 32 bits, from the master's side; addresses count bytes."""


class AxiLiteSlave(wiring.Component):
    """One access at a time; write address and write data in any order.

    Members
    -------
    axi : In(`AXI_LITE`)
    bus : Out(`register_bus`)

    Registers are written as whole words: a write without all four byte strobes does nothing and
    is answered with SLVERR. The low two address bits are ignored. Reads and writes that wait for
    each other take turns.

    Timing: every output is a register. No channel waits for another. The response comes three
    cycles, and the time on the register bus, after the access is complete (address, and data of a
    write).
    """

    def __init__(self) -> None:
        super().__init__({"axi": In(AXI_LITE), "bus": Out(register_bus)})
        self.address = {name: Signal(ADDRESS_BITS, name=name) for name in ("write_to", "read_from")}
        self.strobes = Signal(4)
        self.write_turn = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axi, bus = self.axi, self.bus
        taken = {name: Signal(name=f"{name}_taken") for name in ("aw", "w", "ar")}
        self._take(m, taken)
        write_waits, read_waits = taken["aw"] & taken["w"], taken["ar"]
        m.d.sync += bus.access.eq(0)
        with m.FSM():
            with m.State("IDLE"):
                with m.If(write_waits & (self.write_turn | ~read_waits)):
                    m.d.sync += [
                        bus.write.eq(1),
                        bus.address.eq(self.address["write_to"]),
                        bus.access.eq(self.strobes.all()),
                        axi.bresp.eq(Mux(self.strobes.all(), OKAY, SLVERR)),
                        axi.bvalid.eq(~self.strobes.all()),
                    ]
                    m.next = "WRITE"
                with m.Elif(read_waits):
                    m.d.sync += [
                        bus.write.eq(0),
                        bus.address.eq(self.address["read_from"]),
                        bus.access.eq(1),
                    ]
                    m.next = "READ"
            with m.State("WRITE"):
                with m.If(bus.done):
                    m.d.sync += axi.bvalid.eq(1)
                with m.Elif(axi.bvalid & axi.bready):
                    m.d.sync += [axi.bvalid.eq(0), taken["aw"].eq(0), taken["w"].eq(0)]
                    m.d.sync += self.write_turn.eq(0)
                    m.next = "IDLE"
            with m.State("READ"):
                with m.If(bus.done):
                    m.d.sync += [axi.rvalid.eq(1), axi.rdata.eq(bus.read_data)]
                with m.Elif(axi.rvalid & axi.rready):
                    m.d.sync += [axi.rvalid.eq(0), taken["ar"].eq(0)]
                    m.d.sync += self.write_turn.eq(1)
                    m.next = "IDLE"
        return m

    def _take(self, m: Module, taken: dict[str, Signal]) -> None:
        """Hold each channel's item until its access is over."""
        axi = self.axi
        m.d.comb += [
            axi.awready.eq(~taken["aw"]),
            axi.wready.eq(~taken["w"]),
            axi.arready.eq(~taken["ar"]),
        ]
        with m.If(axi.awvalid & axi.awready):
            m.d.sync += [taken["aw"].eq(1), self.address["write_to"].eq(axi.awaddr[2:])]
        with m.If(axi.wvalid & axi.wready):
            m.d.sync += [
                taken["w"].eq(1),
                self.bus.write_data.eq(axi.wdata),
                self.strobes.eq(axi.wstrb),
            ]
        with m.If(axi.arvalid & axi.arready):
            m.d.sync += [taken["ar"].eq(1), self.address["read_from"].eq(axi.araddr[2:])]
