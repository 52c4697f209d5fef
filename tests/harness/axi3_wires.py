"""A design without a master: the wires of an AXI3 port, for tests that drive both ends."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.signature import AXI3


class Axi3Wires(wiring.Component):
    """``hp0`` has every signal of the port as an input; nothing happens to them."""

    def __init__(self) -> None:
        signals = {name: In(member.shape) for name, member in AXI3.members.items()}
        super().__init__({"hp0": Out(wiring.Signature(signals))})

    def elaborate(self, platform: object) -> Module:
        return Module()
