"""The flows on the other targets: another part, another set-up of the processing system."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from fractrain.gen.bitstream.build import FLOWS
from fractrain.gen.bitstream.flow import Request
from fractrain.gen.bitstream.openxc7 import OpenFlow
from fractrain.hw.contract.errors import MissingToolError
from fractrain.hw.contract.parameters import Parameters, load_parameters
from fractrain.hw.targets import zynq
from fractrain.hw.targets.target import ProcessingSystem
from tests.gen.bitstream.bit_files import bit_file
from tests.gen.bitstream.fake_tools import write_made_files, write_open_tools
from tests.gen.bitstream.vivado_runs import Build

Z7020 = load_parameters("z7020")
AT_100_MHZ = {"actual_mhz": "100.000000", "period": "10.000"}

SETTINGS = (
    ("PCW_CRYSTAL_PERIPHERAL_FREQMHZ", "50"),
    ("PCW_UIPARAM_DDR_PARTNO", "MT41J256M16 RE-125"),
    ("PCW_UIPARAM_DDR_BUS_WIDTH", "16 Bit"),
)


def without_preset() -> Parameters:
    """On a board whose processing system the IP has no preset for."""
    board = dataclasses.replace(
        Z7020.target,
        name="pynq_z2",
        part=dataclasses.replace(Z7020.target.part, name="xc7z020clg400-1"),
        clocks=zynq.clocks(oscillator_mhz=50, io_multiplier=20),
        processing_system=ProcessingSystem(settings=SETTINGS),
    )
    return dataclasses.replace(Z7020, target=board)


def test_vivado_makes_the_second_target(build: Build) -> None:
    run = build(Z7020, faults=AT_100_MHZ)
    assert run.code == 0, run.errors
    assert {file.name for file in (run.folder / "outputs").iterdir()} == {
        "fractrain_zedboard.bit",
        "fractrain_zedboard.xsa",
    }
    calls = [" ".join(call) for call in run.calls()]
    assert "create_project -force -part xc7z020clg484-1 project project" in calls
    assert any("CONFIG.preset ZedBoard" in call for call in calls)
    windows = [call for call in calls if call.startswith("assign_bd_address -offset 0x0")]
    assert len(windows) == Z7020.memory.ports
    assert all(f"-range 0x{512 << 20:08x} " in call for call in windows)


def test_settings_stand_in_for_a_preset(build: Build) -> None:
    run = build(without_preset(), faults=AT_100_MHZ)
    assert run.code == 0, run.errors
    calls = [" ".join(call) for call in run.calls()]
    assert not any("CONFIG.preset" in call for call in calls)
    given = next(call for call in calls if "PCW_UIPARAM_DDR_PARTNO" in call)
    for name, value in SETTINGS:
        assert f"{{CONFIG.{name}}} {{{value}}}" in given
    ours = next(call for call in calls if "PCW_USE_M_AXI_GP0" in call)
    assert calls.index(given) < calls.index(ours)


def test_no_licence_is_asked_for_where_none_is_needed(build: Build) -> None:
    run = build(Z7020, faults={"no_part": "1"})
    assert run.lines[-1].endswith("this Vivado has no xc7z020clg484-1: install Zynq-7000 devices")


@pytest.fixture
def database(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The open tools with an empty database of Project X-Ray."""
    write_open_tools(tools)
    (tmp_path / "chip.bin").write_text("chip")
    folder = tmp_path / "db" / "zynq7"
    folder.mkdir(parents=True)
    monkeypatch.setenv("CHIPDB", str(tmp_path / "chip.bin"))
    monkeypatch.setenv("PRJXRAY_DB_DIR", str(tmp_path / "db"))
    monkeypatch.setenv("FAKE_BIT", str(tmp_path / "made.bit"))
    monkeypatch.setenv("FAKE_PERIOD", "10.000")
    monkeypatch.setenv("FAKE_PART", "xc7z020clg484-1")
    return folder


def test_the_open_flow_makes_it_where_the_database_has_the_part(
    database: Path, quick: None, tmp_path: Path
) -> None:
    flow, request = OpenFlow(), Request(Z7020)
    with pytest.raises(MissingToolError, match=r"xc7z020clg484-1/part\.yaml .* with this part"):
        flow.find_tools(Z7020.target)
    (database / "xc7z020clg484-1").mkdir()
    (database / "xc7z020clg484-1" / "part.yaml").write_text("part")
    flow.find_tools(Z7020.target)
    write_made_files(tmp_path, bit_file(part="xc7z020clg484-1"))
    work = tmp_path / "work"
    work.mkdir()
    for name, content in flow.prepare(request).items():
        (work / name).write_bytes(content)
    made = flow.make(work, request, lambda stage: None)
    assert made.clock_mhz == 100


@pytest.mark.parametrize(("flow", "script"), [("vivado", "build.tcl"), ("openxc7", "build.sh")])
def test_scripts_name_the_board(flow: str, script: str, quick: None) -> None:
    text = FLOWS[flow].prepare(Request(Z7020))[script].decode()
    assert "for the ZedBoard" in text and "xc7z020clg484-1" in text
    assert "zc706" not in re.sub(r"#.*", "", text)
