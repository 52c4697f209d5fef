"""Every port and pin that a flow's constraints name is in the Verilog that they are for.

The net that the open flow's clock names: `test_openxc7`, where Yosys has made the netlist.
"""

import dataclasses
import re
from pathlib import Path

import pytest

from fractrain.gen.bitstream.constraints import bare_constraints, vivado_constraints
from fractrain.gen.zynq.names import BARE_NAME, WRAPPER_NAME
from fractrain.hw.contract.errors import DataError
from fractrain.hw.contract.parameters import load_parameters
from tests.gen.bitstream.fake_tools import quick_sources

ROOT = Path(__file__).parents[3]
TINY = load_parameters("tiny")


def commands(text: str) -> list[str]:
    """The lines of an XDC file without its comments."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def verilog(name: str, *, bare: bool) -> str:
    return quick_sources(TINY, bare=bare)[f"{name}.v"].decode()


def test_vivado_constrains_no_clock() -> None:
    """The processing system's IP does; a second create_clock would override it."""
    lines = commands(vivado_constraints(TINY.target))
    assert lines
    assert not [line for line in lines if "create_clock" in line or "get_ports" in line]


def test_pins_of_the_vivado_flow_exist() -> None:
    """The only pins are PRE of registers ``reset_stages``: set asynchronously by ``aresetn``."""
    text = " ".join(commands(vivado_constraints(TINY.target)))
    assert text.count("[") == len(re.findall(r"\[get_pins ", text)) == 1
    register = re.search(r"NAME =~ \*(\w+)_reg\*/PRE", text)
    assert register, text
    wrapper = verilog(WRAPPER_NAME, bare=False)
    assert re.search(rf"reg \[1:0\] {register[1]}\b", wrapper)
    assert re.search(rf"negedge aresetn\)\n\s+if \(!aresetn\) {register[1]} <= 2'b11;", wrapper)


@pytest.mark.parametrize(
    ("clock", "period"), [(200, "5.000"), (125, "8.000"), (250, "4.000"), (166.667, "6.000")]
)
def test_period_of_the_bare_clock(clock: float, period: str) -> None:
    text = bare_constraints(dataclasses.replace(TINY, clock_mhz=clock))
    assert commands(text) == [f"create_clock -period {period} -name fclk0 [get_nets clock]"]


def test_optional_pins_are_used_by_no_flow() -> None:
    """Each pin once, each port with a standard; none of the ports is in a top of ours."""
    text = (ROOT / "constraints" / "zc706" / "pins.xdc").read_text()
    pins = re.findall(r"PACKAGE_PIN (\w+) IOSTANDARD (\w+)\} \[get_ports (\w+)\]", text)
    assert len(pins) == len({pin for pin, _, _ in pins}) == len({port for _, _, port in pins}) == 7
    named = set(re.findall(r"\w+", " ".join(re.findall(r"get_ports ([^\]]+)\]", text))))
    assert named == {port for _, _, port in pins}
    for name, bare in ((WRAPPER_NAME, False), (BARE_NAME, True)):
        words = set(re.findall(r"\w+", verilog(name, bare=bare)))
        assert not words & named
    for flow in (vivado_constraints(TINY.target), bare_constraints(TINY)):
        assert "PACKAGE_PIN" not in flow


def test_every_file_is_explained_and_installed() -> None:
    readme = (ROOT / "constraints" / "README.md").read_text()
    for file in (ROOT / "constraints").rglob("*.xdc"):
        assert f"`{file.name}`" in readme


def test_installed_without_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    def files(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("fractrain.gen.bitstream.constraints.resources.files", files)
    with pytest.raises(DataError, match=r"constraints/zynq/vivado\.xdc is not there"):
        vivado_constraints(TINY.target)
