"""The board's design under Verilator's and Yosys's checks, and faults that they must notice."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from fractrain.gen.verilog import emit
from fractrain.gen.zynq.names import ACCELERATOR_NAME, BARE_NAME, WRAPPER_NAME
from fractrain.gen.zynq.sources import surroundings
from fractrain.hw.contract.parameters import Parameters, load_parameters
from fractrain.hw.mac.flavour import Flavour
from fractrain.hw.zynq.accelerator import ZynqAccelerator, accelerator_signature
from fractrain.sim.cosim.designs import cached_design
from tests.gen.zynq.cell_library import primitives, run_yosys
from tests.gen.zynq.lint import lint
from tests.hw.machines import with_vector

TINY = load_parameters("tiny")

CHECKS = f"""\
read_verilog -lib +/xilinx/cells_sim.v +/xilinx/cells_xtra.v
read_verilog {ACCELERATOR_NAME}.v {WRAPPER_NAME}.v {BARE_NAME}.v
hierarchy -check -top {BARE_NAME}
proc
check -assert
select -assert-none t:$dlatch t:$adlatch t:$dlatchsr t:$sr
select {BARE_NAME}
write_json -selected top.json
"""


def whole(parameters: Parameters = TINY) -> dict[str, str]:
    """Module name → Verilog of the board's design."""

    def accelerator() -> str:
        return emit(ZynqAccelerator(parameters, flavour=Flavour.SYNTHESIS), ACCELERATOR_NAME)

    text = cached_design("zynq_accelerator", parameters, accelerator).verilog
    return {ACCELERATOR_NAME: text, **surroundings(parameters, bare=True)}


class Hollow(wiring.Component):
    """The ports of the accelerator: it is what is around them that the faults below are in."""

    def __init__(self) -> None:
        super().__init__(accelerator_signature(TINY))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for _, member, value in self.signature.flatten(self):
            if member.flow == Out:
                m.d.comb += Value.cast(value).eq(0)
        return m


@functools.cache
def hollow() -> Mapping[str, str]:
    return {ACCELERATOR_NAME: emit(Hollow(), ACCELERATOR_NAME), **surroundings(TINY, bare=True)}


def broken(module: str, old: str, new: str) -> dict[str, str]:
    """`hollow` with ``old``, which is there once, replaced in ``module``."""
    text = hollow()[module]
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
    return {**hollow(), module: text.replace(old, new)}


def check_with_yosys(folder: Path, files: Mapping[str, str]) -> None:
    """`AssertionError` with Yosys's words if it, or the netlist of the top, has a fault."""
    for name, text in files.items():
        (folder / f"{name}.v").write_text(text)
    result = run_yosys(folder, "; ".join(CHECKS.splitlines()))
    assert result.returncode == 0, result.stdout + result.stderr
    top = json.loads((folder / "top.json").read_text())["modules"][BARE_NAME]
    assert open_inputs(top) == []


def open_inputs(top: dict) -> list[str]:
    """Inputs of the PS7 that nothing drives, or not with as many bits as they have."""
    (ps7,) = [cell for cell in top["cells"].values() if cell["type"] == "PS7"]
    driven = {"0", "1"} | {
        bit
        for cell in top["cells"].values()
        for pin, bits in cell["connections"].items()
        if cell["port_directions"][pin] != "input"
        for bit in bits
    }
    return [
        pin
        for pin, (direction, width) in primitives()["PS7"].ports.items()
        if direction == "input"
        and (
            len(ps7["connections"].get(pin, [])) != width
            or not set(ps7["connections"][pin]) <= driven
        )
    ]


def test_verilator_has_no_complaint(tmp_path: Path) -> None:
    assert lint(tmp_path, whole()) == []


@pytest.mark.slow
def test_verilator_has_no_complaint_of_a_vector_unit(tmp_path: Path) -> None:
    assert lint(tmp_path, whole(with_vector())) == []


def test_yosys_finds_no_fault(tmp_path: Path) -> None:
    check_with_yosys(tmp_path, whole())


def test_the_hollow_design_is_as_good(tmp_path: Path) -> None:
    """So that each fault below is the only one."""
    assert lint(tmp_path, hollow()) == []
    check_with_yosys(tmp_path, hollow())


TIE_OFF = "    .SAXIACPAWVALID(1'd0),\n"
WIDTH_FAULTS = {
    "narrow ID": (WRAPPER_NAME, "[11:0] s_axi_gp0_bid", "[5:0] s_axi_gp0_bid"),
    "wide length": (WRAPPER_NAME, "[3:0] m_axi_hp1_awlen", "[7:0] m_axi_hp1_awlen"),
    "narrow net": (BARE_NAME, "wire [63:0] m_axi_hp0_wdata", "wire [31:0] m_axi_hp0_wdata"),
    "size uncut": (
        BARE_NAME,
        "({unused_m_axi_hp0_arsize, m_axi_hp0_arsize})",
        "(m_axi_hp0_arsize)",
    ),
    "constant": (BARE_NAME, "{19'd0, interrupt}", "{15'd0, interrupt}"),
    "tie-off": (BARE_NAME, ".SAXIACPAWADDR(32'd0)", ".SAXIACPAWADDR(1'd0)"),
}
OTHER_FAULTS = {
    "missing tie-off": ("PINMISSING", BARE_NAME, TIE_OFF, ""),
    "tie-off left open": ("PINCONNECTEMPTY", BARE_NAME, TIE_OFF, TIE_OFF.replace("1'd0", "")),
    "undriven": ("UNDRIVEN", WRAPPER_NAME, "    .interrupt(interrupt)\n", "    .interrupt()\n"),
    "unused": ("UNUSEDSIGNAL", WRAPPER_NAME, ".rst(reset)", ".rst(1'b0)"),
    "no such pin": ("PINNOTFOUND", BARE_NAME, ".FCLKCLKTRIGN(", ".FCLKCLKTRIG("),
    "mistyped net": ("", BARE_NAME, ".aclk(clock)", ".aclk(clok)"),
    "latch": (
        "LATCH",
        WRAPPER_NAME,
        "  always @(posedge aclk)\n    reset <= reset_stages[1];\n",
        "  always @*\n    if (reset_stages[1]) reset = aresetn;\n",
    ),
}


@pytest.mark.parametrize("name", WIDTH_FAULTS)
def test_a_wrong_width_is_noticed(name: str, tmp_path: Path) -> None:
    """By Verilator; Yosys says nothing of it."""
    found = lint(tmp_path, broken(*WIDTH_FAULTS[name]))
    assert any(each.code in ("WIDTHTRUNC", "WIDTHEXPAND") for each in found), found


def test_a_wrong_width_within_the_accelerator_is_noticed(tmp_path: Path) -> None:
    """What is allowed of operators there is not allowed of ports."""
    files = dict(hollow())
    files[ACCELERATOR_NAME] = files[ACCELERATOR_NAME].replace(
        "\nendmodule",
        "\n  wire unused;\n  BUFG buffer (.I(gp0__arlen), .O(unused));\nendmodule",
        1,
    )
    assert [each.code for each in lint(tmp_path, files)] == ["WIDTHTRUNC"]


@pytest.mark.parametrize("name", OTHER_FAULTS)
def test_a_fault_is_noticed(name: str, tmp_path: Path) -> None:
    code, *change = OTHER_FAULTS[name]
    found = lint(tmp_path, broken(*change))
    assert code in [each.code for each in found], found


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (OTHER_FAULTS["missing tie-off"][1:], "SAXIACPAWVALID"),
        (OTHER_FAULTS["tie-off left open"][1:], "SAXIACPAWVALID"),
        (OTHER_FAULTS["undriven"][1:], "used but has no driver"),
        (OTHER_FAULTS["latch"][1:], "latch"),
        (OTHER_FAULTS["no such pin"][1:], "FCLKCLKTRIG"),
        (
            (BARE_NAME, "  BUFG ", "  assign clock = fclk;\n\n  BUFG "),
            "multiple conflicting drivers",
        ),
        (
            (BARE_NAME, "fractrain_zynq accelerator", "fractrain_zinq accelerator"),
            "fractrain_zinq",
        ),
    ],
)
def test_a_fault_is_noticed_by_yosys(
    fault: tuple[str, str, str], says: str, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=says):
        check_with_yosys(tmp_path, broken(*fault))
