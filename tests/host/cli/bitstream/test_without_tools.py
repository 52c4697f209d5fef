"""`fractrain bitstream` without tools, and with options that it refuses."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fractrain.gen.bitstream import vivado
from fractrain.gen.manifest import MANIFEST_NAME, read_manifest
from fractrain.host.cli.main import main
from tests.host.cli.bitstream.folders import BIT, bitstream, names_below


@pytest.mark.parametrize(
    ("flow", "script", "says"),
    [
        ("vivado", "build.tcl", ("no vivado on PATH", "vivado -mode batch", "--flow openxc7")),
        ("openxc7", "build.sh", ("yosys, nextpnr-xilinx, fasm2frames, xc7frames2bit", "CHIPDB")),
    ],
)
def test_no_tool(
    flow: str,
    script: str,
    says: tuple[str, ...],
    place: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Everything up to the call is there, one line says what is missing and what can be done."""
    earlier = Path("build", "bitstream-tiny")
    assert bitstream("--flow", flow) == 4
    *stages, error = capsys.readouterr().err.splitlines()
    assert len(stages) == 1  # "Verilog"
    assert error.startswith("fractrain: error: ")
    for text in (*says, f"build/{flow}-tiny", "fractrain simulate"):
        assert text in error
    folder = place / "build" / f"{flow}-tiny"
    manifest = read_manifest(folder / MANIFEST_NAME)
    assert names_below(folder) == {each.path for each in manifest.files} | {MANIFEST_NAME}
    assert {script, "fractrain_zynq.v", "fractrain_accelerator.v"} < names_below(folder)
    assert manifest.top == "fractrain_zynq"
    assert {"aclk", "s_axi_gp0_rdata", "interrupt"} < {port.name for port in manifest.ports}
    assert not earlier.exists()
    assert bitstream("--flow", flow) == 4  # replaces what it wrote


def test_no_tool_with_a_folder(
    with_vivado: Callable[..., None], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the tools need is there, and nowhere else; the bitstream takes its place later."""
    assert bitstream("--out", "here") == 4
    assert "Everything up to it is in here:" in capsys.readouterr().err
    assert {"here/build.tcl", f"here/{MANIFEST_NAME}"} < names_below(place)
    assert [each.name for each in place.iterdir()] == ["here"]
    assert bitstream("--out", "here") == 4
    with_vivado()
    assert bitstream("--out", "here") == 0
    assert Path("here", BIT).is_file()
    assert not Path("here", "build.tcl").exists()


def test_no_tool_leaves_an_earlier_bitstream_alone(
    with_vivado: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_vivado()
    assert bitstream("--out", "here") == 0
    (tmp_path / "tools" / "vivado").unlink()
    earlier = names_below(Path("here"))
    assert bitstream("--out", "here") == 4
    assert names_below(Path("here")) == earlier
    assert "is in here-vivado:" in capsys.readouterr().err
    assert Path("here-vivado", "build.tcl").is_file()


def test_no_tool_and_a_folder_of_somebody(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bitstream("--out", "here") == 4
    (place / "here" / "thesis.tex").write_text("years of work")
    assert bitstream("--out", "here") == 2
    assert "move thesis.tex away first" in capsys.readouterr().err
    assert (place / "here" / "thesis.tex").read_text() == "years of work"


def test_what_was_prepared_runs_by_hand(
    with_vivado: Callable[..., None], tmp_path: Path, place: Path
) -> None:
    assert bitstream("--generate-only") == 0
    with_vivado()
    folder = place / "build" / "vivado-tiny"
    command = "vivado -mode batch -notrace -nojournal -log vivado.log -source build.tcl".split()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    assert (folder / "outputs" / BIT).is_file()


def test_generate_only(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bitstream("--generate-only", "--out", "here", "--jobs", "7") == 0
    shown = capsys.readouterr().out
    assert names_below(place) == {
        f"here/{name}"
        for name in (
            *("build.tcl", "vivado.xdc", "fractrain_zynq.v", "fractrain_accelerator.v"),
            *("registers.md", "commands.md", MANIFEST_NAME),
        )
    }
    assert "here/build.tcl" in shown
    assert "set jobs 7\n" in Path("here", "build.tcl").read_text()


def test_variable_that_names_no_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIVADO", "/nowhere/vivado")
    assert bitstream() == 4
    assert "VIVADO is '/nowhere/vivado', no program" in capsys.readouterr().err


# -- wrong options -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--jobs", "0"], "--jobs: got '0'"),
        (["--tolerate", "everything"], "--tolerate: got 'everything'"),
        (["--attempts", "0"], "--attempts: got '0', allowed: a whole number, 1..6"),
        (
            ["--attempts", "7"],
            "--attempts: got '7', allowed: a whole number, 1..6",
        ),
        (
            ["--flow", "openxc7", "--attempts", "2"],
            "--attempts: got 2, allowed: with",
        ),
        (
            ["--flow", "openxc7", "--tolerate", "PSU-1"],
            "--tolerate: got ['PSU-1'], allowed: with",
        ),
    ],
)
def test_wrong_option(
    options: list[str], says: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bitstream(*options) == 2
    assert says in capsys.readouterr().err
    assert list(place.iterdir()) == []


def test_unknown_flow(capsys: pytest.CaptureFixture[str]) -> None:
    assert bitstream("--flow", "quartus") == 2
    assert "vivado" in capsys.readouterr().err


def test_clock_that_the_board_lacks(
    place: Path, project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (project_root / "configs" / "tiny.yaml").read_text()
    Path("fast.yaml").write_text(text.replace("clock_mhz: 200", "clock_mhz: 300"))
    assert main(["bitstream", "--config", "fast.yaml"]) == 2
    assert "clock_mhz: got 300, allowed: on the ZC706: " in capsys.readouterr().err
    assert names_below(place) == {"fast.yaml"}


def test_folder_in_use(
    with_vivado: Callable[..., None], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_vivado()
    Path("thesis.tex").write_text("years of work")
    assert bitstream("--out", ".") == 2
    assert "no bitstream.json" in capsys.readouterr().err
    assert names_below(place) == {"thesis.tex"}


def test_without_the_hardware_packages(place: Path, project_root: Path) -> None:
    program = """
import sys
sys.modules["amaranth"] = None
from fractrain.host.cli.main import main
sys.exit(main(["bitstream"]))
"""
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(project_root)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 4
    assert "[hardware]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_help_has_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bitstream", "--help"])
    shown = capsys.readouterr().out
    for text in ("examples:", "exit codes:", "VIVADO", "PRJXRAY_DB_DIR", "--generate-only"):
        assert text in shown


def test_real_verilog_up_to_the_call(
    monkeypatch: pytest.MonkeyPatch, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one test here in which the machine is the real one."""
    from fractrain.gen.zynq.sources import sources

    monkeypatch.setattr(vivado, "sources", sources)
    assert bitstream() == 4
    text = (place / "build" / "vivado-tiny" / "fractrain_accelerator.v").read_text()
    assert len(text) > 1_000_000
    assert "module fractrain_accelerator" in text
