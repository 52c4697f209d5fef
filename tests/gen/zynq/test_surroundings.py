"""The wrapper and the bare top as text, against the accelerator's members and Yosys's library."""

from __future__ import annotations

import re

import pytest
from amaranth.hdl import Value
from amaranth.lib.wiring import In

from fractrain.gen.verilog import Port
from fractrain.gen.zynq.bare import bare_text
from fractrain.gen.zynq.interfaces import wrapper_interfaces
from fractrain.gen.zynq.names import BARE_NAME, WRAPPER_NAME
from fractrain.gen.zynq.ps7 import PS7
from fractrain.gen.zynq.sources import surroundings
from fractrain.hw.contract.errors import DataError
from fractrain.hw.zynq.accelerator import accelerator_signature
from tests.gen.zynq.cell_library import primitives
from tests.hw.machines import machine

ATTRIBUTE = re.compile(r'\(\* (X_INTERFACE_\w+) = "([^"]*)" \*\)')
PORT = re.compile(r"(input|output) wire (?:\[(\d+):0\] )?(\w+)")
PIN = re.compile(r"^    \.(\w+)\((.*?)\),?$", re.MULTILINE)


def instance(text: str, module: str) -> dict[str, str]:
    """Pin → expression of the one instance of ``module``."""
    (body,) = re.findall(rf"^  {module} \w+ \(\n(.*?)^  \);", text, re.MULTILINE | re.DOTALL)
    pins = PIN.findall(body)
    assert len(dict(pins)) == len(pins)
    assert len(pins) == sum(not line.strip().startswith("//") for line in body.splitlines())
    return dict(pins)


def parsed_ports(text: str) -> list[tuple[dict[str, str], str, int, str]]:
    """Attributes, direction, width and name of every port of the wrapper."""
    (head,) = re.findall(rf"^module {WRAPPER_NAME} \((.*?)^\);", text, re.MULTILINE | re.DOTALL)
    found = []
    for chunk in head.split(",\n  (*"):
        attributes = dict(ATTRIBUTE.findall("(*" + chunk if "(*" not in chunk[:5] else chunk))
        ((direction, top, name),) = PORT.findall(chunk)
        found.append((attributes, direction, int(top or 0) + 1, name))
    return found


@pytest.mark.parametrize("ports", [1, 2, 4])
def test_every_port_of_the_wrapper_belongs_to_one_interface(ports: int) -> None:
    """Read back from the text, these are the accelerator's members and nothing else."""
    parameters = machine(memory__ports=ports)
    text = surroundings(parameters)[WRAPPER_NAME]
    members = accelerator_signature(parameters).create()
    wanted = {
        "aclk": ("input", 1, "xilinx.com:signal:clock:1.0 aclk CLK"),
        "aresetn": ("input", 1, "xilinx.com:signal:reset:1.0 aresetn RST"),
        "interrupt": ("output", 1, "xilinx.com:signal:interrupt:1.0 interrupt INTERRUPT"),
    }
    for path, member, value in members.signature.flatten(members):
        if len(path) == 2:
            prefix = f"{'s' if path[0] == 'gp0' else 'm'}_axi_{path[0]}"
            wanted[f"{prefix}_{path[1]}"] = (
                "input" if member.flow == In else "output",
                len(Value.cast(value)),
                f"xilinx.com:interface:aximm:1.0 {prefix} {str(path[1]).upper()}",
            )
    found = parsed_ports(text)
    assert {
        name: (direction, width, attributes["X_INTERFACE_INFO"])
        for attributes, direction, width, name in found
    } == wanted
    assert len(found) == len(wanted) == 3 + (1 + ports) * 38


def parameters_of(text: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Interface → mode and parameters; both stand exactly once for each."""
    found = {}
    for attributes, *_ in parsed_ports(text):
        interface = attributes["X_INTERFACE_INFO"].split()[1]
        if "X_INTERFACE_PARAMETER" in attributes:
            assert interface not in found
            pairs = [each.split(" ", 1) for each in attributes["X_INTERFACE_PARAMETER"].split(", ")]
            found[interface] = attributes["X_INTERFACE_MODE"], dict(pairs)
        else:
            assert "X_INTERFACE_MODE" not in attributes
    return found


def test_parameters_of_the_interfaces() -> None:
    """As the facts about Vivado have them; above all, no FREQ_HZ."""
    found = parameters_of(surroundings(machine())[WRAPPER_NAME])
    axi = {"PROTOCOL": "AXI3", "ADDR_WIDTH": "32"}
    hp = axi | {"DATA_WIDTH": "64", "ID_WIDTH": "6"}
    buses = "s_axi_gp0:m_axi_hp0:m_axi_hp1"
    wanted = {
        "aclk": ("slave", {"ASSOCIATED_BUSIF": buses, "ASSOCIATED_RESET": "aresetn"}),
        "aresetn": ("slave", {"POLARITY": "ACTIVE_LOW"}),
        "s_axi_gp0": ("slave", axi | {"DATA_WIDTH": "32", "ID_WIDTH": "12"}),
        "m_axi_hp0": ("master", hp),
        "m_axi_hp1": ("master", hp),
        "interrupt": ("master", {"SENSITIVITY": "LEVEL_HIGH"}),
    }
    assert found == {
        name: (mode, {"XIL_INTERFACENAME": name} | parameters)
        for name, (mode, parameters) in wanted.items()
    }


def test_the_reset_may_be_replicated_but_for_its_synchronizer() -> None:
    text = surroundings(machine())[WRAPPER_NAME]
    assert "(* max_fanout = 512 *) reg reset;" in text
    assert '(* ASYNC_REG = "TRUE" *) reg [1:0] reset_stages;' in text


def test_the_wrapper_connects_like_to_like() -> None:
    pins = instance(surroundings(machine())[WRAPPER_NAME], "fractrain_accelerator")
    assert pins.pop("clk") == "aclk"
    assert pins.pop("rst") == "reset"
    assert pins.pop("interrupt") == "interrupt"
    assert len(pins) == 3 * 38
    for inner, outer in pins.items():
        bus, signal = inner.split("__")
        assert outer == f"{'s' if bus == 'gp0' else 'm'}_axi_{bus}_{signal}"


# -- the bare top -----------------------------------------------------------------------------


def test_pins_of_the_ps7_are_those_that_yosys_knows() -> None:
    found = {port.name: (port.direction, port.width) for port in PS7}
    assert found == primitives()["PS7"].ports
    assert len(found) == len(PS7)


@pytest.mark.parametrize("ports", [1, 2, 4])
def test_every_input_of_the_ps7_is_driven(ports: int) -> None:
    """By the accelerator, or by a constant as wide as it is; and nothing is left out."""
    pins = instance(surroundings(machine(memory__ports=ports), bare=True)[BARE_NAME], "PS7")
    assert pins.keys() == primitives()["PS7"].ports.keys()
    driven = {"MAXIGP0ACLK": "clock", "IRQF2P": "{19'd0, interrupt}"}
    for number in range(ports):
        driven[f"SAXIHP{number}ACLK"] = "clock"
        for signal in ("ARADDR", "ARSIZE", "WDATA", "WID", "BREADY"):
            driven[f"SAXIHP{number}{signal}"] = f"m_axi_hp{number}_{signal.lower()}"
    for signal in ("ARREADY", "RDATA", "RID", "BRESP"):
        driven[f"MAXIGP0{signal}"] = f"s_axi_gp0_{signal.lower()}"
    for pin, (direction, width) in primitives()["PS7"].ports.items():
        bus = re.match(r"(MAXIGP0|SAXIHP(\d))(?!ARESETN|.*COUNT|.*CAP1EN)", pin)
        ours = bus is not None and int(bus[2] or 0) < ports
        if direction == "input" and not ours and pin not in driven:
            assert pins[pin] == f"{width}'d0", pin
        elif direction == "inout":
            assert pins[pin] == ""
        else:
            assert pins[pin] == driven.get(pin, pins[pin])
            assert "'d" not in pins[pin] or pin == "IRQF2P"


def test_sizes_have_a_bit_less_at_the_ps7() -> None:
    pins = instance(surroundings(machine(), bare=True)[BARE_NAME], WRAPPER_NAME)
    assert pins["s_axi_gp0_arsize"] == "{1'd0, s_axi_gp0_arsize}"
    assert pins["m_axi_hp1_awsize"] == "{unused_m_axi_hp1_awsize, m_axi_hp1_awsize}"
    others = {pin: net for pin, net in pins.items() if not pin.endswith("size")}
    assert others.pop("aclk") == "clock"
    assert others.pop("aresetn") == "fclk_resetn"
    assert all(pin == net for pin, net in others.items())


def changed(name: str, **changes: object) -> list[Port]:
    """The PS7's ports with one of them changed, or left out."""
    ports = []
    for port in PS7:
        if port.name != name:
            ports.append(port)
        elif changes:
            ports.append(Port(**({**vars(port)} | changes)))  # type: ignore[arg-type]
    return ports


@pytest.mark.parametrize(
    ("ports", "says"),
    [
        (changed("SAXIHP0WDATA"), "no pin SAXIHP0WDATA"),
        (changed("IRQF2P"), "no pin IRQF2P"),
        (changed("SAXIHP0WDATA", width=32), "SAXIHP0WDATA of the PS7 is an input of 32 bits"),
        (changed("SAXIHP0ARSIZE", width=3), "SAXIHP0ARSIZE"),
        (changed("MAXIGP0RID", width=6), "MAXIGP0RID"),
        (changed("MAXIGP0RDATA", direction="output"), "MAXIGP0RDATA"),
    ],
)
def test_another_ps7_is_refused(ports: list[Port], says: str) -> None:
    with pytest.raises(DataError, match=says):
        bare_text(wrapper_interfaces(machine()), ports)


def test_the_text_depends_on_the_number_of_ports_only() -> None:
    one, other = machine(), machine(clock_mhz=100, queues__commands=8)
    assert surroundings(one, bare=True) == surroundings(other, bare=True)
