"""The convolution engine with the ports of a Zynq-7000 around it."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.signature import AXI3, AXI3_GP
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.engine.engine import ConvolutionEngine
from fractrain.hw.mac.flavour import Flavour
from fractrain.hw.zynq.gp_bridge import GpBridge

__all__ = ["ZynqAccelerator", "accelerator_signature"]


def accelerator_signature(parameters: Parameters) -> wiring.Signature:
    """The members of `ZynqAccelerator`."""
    ports = {f"hp{number}": Out(AXI3) for number in range(parameters.memory.ports)}
    return wiring.Signature({"gp0": In(AXI3_GP), **ports, "interrupt": Out(1)})


class ZynqAccelerator(wiring.Component):
    """The engine behind AXI3 on both sides.

    Members
    -------
    gp0 : In(`AXI3_GP`)       its registers, at `hw.targets.zynq.REGISTERS_BASE`
    hp0 .. : Out(`AXI3`)      ``memory.ports`` ports to memory
    interrupt : Out(1)        high while the register INTERRUPT is set

    Results of the format PORT leave the engine and are dropped: nothing takes them here, and a
    program that uses the format must not wait for ever.

    Timing: all outputs are registers, or constant.
    """

    def __init__(self, parameters: Parameters, *, flavour: Flavour, build_hash: int = 0) -> None:
        self.engine = ConvolutionEngine(parameters, flavour=flavour, build_hash=build_hash)
        self.bridge = GpBridge()
        super().__init__(accelerator_signature(parameters))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.engine, m.submodules.bridge = engine, bridge = self.engine, self.bridge
        wiring.connect(m, wiring.flipped(self.gp0), bridge.gp)
        wiring.connect(m, bridge.registers, engine.axi_lite)
        for port in engine.memory.ports:
            wiring.connect(m, getattr(engine, port), wiring.flipped(getattr(self, port)))
        m.d.comb += [engine.port.ready.eq(1), self.interrupt.eq(engine.interrupt)]
        return m
