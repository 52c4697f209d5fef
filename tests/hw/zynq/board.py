"""The bare top as a design with ports: a processing system whose fabric side a test drives.

What is between the ports and the accelerator is exactly what is synthesized: the text of the bare
top and of the wrapper. In place of the PS7 is a module with its ports and nothing inside, which the
test bench reaches into by name; no pin but those that are listed here has a driver on its side.
"""

from __future__ import annotations

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from fractrain.gen.zynq.names import ACCELERATOR_NAME, BARE_NAME
from fractrain.gen.zynq.sources import surroundings
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.mac.flavour import Flavour
from fractrain.hw.shared_module import ModuleLibrary
from fractrain.hw.zynq.accelerator import ZynqAccelerator, accelerator_signature
from tests.gen.zynq.cell_library import empty_module, primitives

__all__ = ["Board"]

BENCH = "ps7_bench"
PREFIX = {"gp0": "MAXIGP0"} | {f"hp{number}": f"SAXIHP{number}" for number in range(4)}


class Board(wiring.Component):
    """Members: those of `ZynqAccelerator`, at the pins of the PS7; ``clk`` and ``rst`` are FCLK0
    and its reset, inverted.

    models : Verilog of all that is inside
    """

    def __init__(self, parameters: Parameters, *, build_hash: int) -> None:
        super().__init__(accelerator_signature(parameters))
        accelerator = ZynqAccelerator(parameters, flavour=Flavour.SIMULATION, build_hash=build_hash)
        self.models = "\n".join(
            [
                self._bench(),
                *surroundings(parameters, bare=True).values(),
                empty_module(primitives()["PS7"]),
                empty_module(primitives()["BUFG"], ["assign O = I;"]),
                ModuleLibrary().emit(accelerator, ACCELERATOR_NAME),
            ]
        )

    def _ports(self) -> list[tuple[str, str, bool, Value]]:
        """Member, signal, whether it is an input, and value."""
        return [
            (str(path[0]), str(path[-1]), member.flow == In, Value.cast(value))
            for path, member, value in self.signature.flatten(self)
        ]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        connections = {
            f"{'i' if is_input else 'o'}_{_port(member, signal)}": value
            for member, signal, is_input, value in self._ports()
        }
        m.submodules.bench = Instance(
            BENCH, i_clk=ClockSignal(), i_rst=ResetSignal(), **connections
        )
        return m

    def _bench(self) -> str:
        """The module that reaches into the PS7."""
        pins = primitives()["PS7"].ports
        ports = ["input clk", "input rst"]
        lines = [
            "assign board.processing_system.FCLKCLK = {3'd0, clk};",
            "assign board.processing_system.FCLKRESETN = {3'd0, ~rst};",
        ]
        for member, signal, is_input, value in self._ports():
            port, width = _port(member, signal), len(value)
            ports.append(f"{'input' if is_input else 'output'} [{width - 1}:0] {port}")
            if member == "interrupt":
                lines.append(f"assign {port} = board.processing_system.IRQF2P[0];")
                continue
            pin = PREFIX[member] + signal.upper()
            there = pins[pin][1]
            place = f"board.processing_system.{pin}"
            if is_input:
                lines.append(f"assign {place} = {port}[{there - 1}:0];")
            else:
                beyond = f"{{{width - there}'d0, {place}}}" if width > there else place
                lines.append(f"assign {port} = {beyond};")
        head = [f"module {BENCH} (", ",\n".join(ports), ");", f"{BARE_NAME} board ();"]
        return "\n".join([*head, *lines, "endmodule", ""])


def _port(member: str, signal: str) -> str:
    return member if member == signal else f"{member}__{signal}"
