"""The ports of the wrapper, grouped by the interfaces of a block design.

All of it follows from the members of the accelerator; the wrapper and the bare top are made from
this list. Names of buses and of their signals are those of AMD's interface definitions (UG994 and
UG1118, on inferring interfaces of RTL).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.hdl import Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.zynq.accelerator import accelerator_signature

__all__ = ["Interface", "WrapperPort", "wrapper_interfaces"]

CLOCK, RESET, INTERRUPT = "aclk", "aresetn", "interrupt"


@dataclass(frozen=True)
class WrapperPort:
    """One port of the wrapper.

    name, direction (``input`` or ``output``), width : as in Verilog
    logical : its name in the definition of the interface (``ARADDR``)
    inner : the accelerator's port behind it; empty if there is logic between
    """

    name: str
    direction: str
    width: int
    logical: str
    inner: str = ""


@dataclass(frozen=True)
class Interface:
    """Ports that are connected as one.

    name : in a block design: the common beginning of its ports, or the only port
    kind : vendor, library, name and version of the definition
    mode : ``master`` or ``slave``
    parameters : for the block design (X_INTERFACE_PARAMETER). No FREQ_HZ: the connected clock
        determines it, and a wrong one fails validation.
    """

    name: str
    kind: str
    mode: str
    parameters: Mapping[str, str]
    ports: tuple[WrapperPort, ...]


def wrapper_interfaces(parameters: Parameters) -> tuple[Interface, ...]:
    """The interfaces of the wrapper, in the order of its ports: clock, reset, buses, interrupt."""
    members = accelerator_signature(parameters).create()
    buses = [
        _bus(name, members, slave=member.flow == In)
        for name, member in members.signature.members.items()
        if member.is_signature
    ]
    clocked = {
        "ASSOCIATED_BUSIF": ":".join(each.name for each in buses),
        "ASSOCIATED_RESET": RESET,
    }
    return (
        _single(CLOCK, "input", "clock", "CLK", "slave", clocked),
        _single(RESET, "input", "reset", "RST", "slave", {"POLARITY": "ACTIVE_LOW"}),
        *buses,
        _single(
            *(INTERRUPT, "output", "interrupt", "INTERRUPT", "master"),
            {"SENSITIVITY": "LEVEL_HIGH"},
            inner=INTERRUPT,
        ),
    )


def _single(
    name: str,
    direction: str,
    kind: str,
    logical: str,
    mode: str,
    parameters: Mapping[str, str],
    inner: str = "",
) -> Interface:
    port = WrapperPort(name, direction, 1, logical, inner)
    return Interface(name, f"xilinx.com:signal:{kind}:1.0", mode, parameters, (port,))


def _bus(name: str, members: wiring.PureInterface, *, slave: bool) -> Interface:
    """The AXI3 interface of the member ``name`` of the accelerator."""
    mode = "slave" if slave else "master"
    prefix = f"{mode[0]}_axi_{name}"
    interface = getattr(members, name)
    ports = tuple(
        WrapperPort(
            name=f"{prefix}_{signal}",
            direction="input" if member.flow == In else "output",
            width=len(Value.cast(getattr(interface, signal))),
            logical=signal.upper(),
            inner=f"{name}__{signal}",
        )
        for signal, member in interface.signature.members.items()
    )
    widths = {port.logical: str(port.width) for port in ports}
    parameters = {
        "PROTOCOL": "AXI3",
        "DATA_WIDTH": widths["RDATA"],
        "ADDR_WIDTH": widths["ARADDR"],
        "ID_WIDTH": widths["ARID"],
    }
    return Interface(prefix, "xilinx.com:interface:aximm:1.0", mode, parameters, ports)
