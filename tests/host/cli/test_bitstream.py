"""`fractrain bitstream` as a user sees it, with programs that stand for the tools."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gen.bitstream import openxc7, vivado
from gen.bitstream.bit_file import to_bin
from gen.bitstream.manifest import (
    BIN_NAME,
    BIT_NAME,
    BITSTREAM_MANIFEST_NAME,
    XSA_NAME,
    BitstreamManifest,
    Slack,
    Utilization,
    read_bitstream_manifest,
)
from gen.build_hash import build_hash
from gen.manifest import MANIFEST_NAME, read_manifest
from host.cli.bitstream import FLOWS
from host.cli.main import main
from hw.contract.parameters import load_parameters
from tests.gen.bitstream.bit_files import bit_file
from tests.gen.bitstream.fake_tools import (
    quick_sources,
    write_made_files,
    write_open_tools,
    write_vivado,
)

OUT = Path("build", "bitstream-tiny")
FAILED = Path("build", "bitstream-tiny-failed")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, no tools on PATH, and Verilog that takes no time."""
    monkeypatch.setattr(vivado, "sources", quick_sources)
    monkeypatch.setattr(openxc7, "sources", quick_sources)
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    (tmp_path / "tools").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}:/usr/bin:/bin")
    for name in ("VIVADO", "CHIPDB", "PRJXRAY_DB_DIR"):
        monkeypatch.delenv(name, raising=False)
    return place


@pytest.fixture
def with_vivado(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put the scripted Vivado on PATH; keywords are what it "makes", and faults."""

    def install(bit: bytes | None = None, inside: bytes | None = None, faults: str = "") -> None:
        write_vivado(tmp_path / "tools")
        made = write_made_files(tmp_path / "made", bit, inside)
        monkeypatch.setenv("SCRIPTED_VIVADO_FILES", str(made))
        monkeypatch.setenv("SCRIPTED_VIVADO_FAULTS", faults)

    return install


@pytest.fixture
def with_open_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_open_tools(tmp_path / "tools")
    part = tmp_path / "db" / "zynq7" / "xc7z045ffg900-2" / "part.yaml"
    part.parent.mkdir(parents=True)
    for file in (part, tmp_path / "chipdb"):
        file.write_text("database")
    (tmp_path / "made.bit").write_bytes(bit_file(part="xc7z045ffg900-2"))
    monkeypatch.setenv("CHIPDB", str(tmp_path / "chipdb"))
    monkeypatch.setenv("PRJXRAY_DB_DIR", str(tmp_path / "db"))
    monkeypatch.setenv("FAKE_BIT", str(tmp_path / "made.bit"))


def bitstream(*options: str) -> int:
    return main(["bitstream", "--config", "tiny", *options])


def names_below(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def nothing_to_load(place: Path) -> bool:
    """No bitstream anywhere, under any name."""
    return not [file for file in place.rglob("*") if file.suffix in (".bit", ".bin", ".xsa")]


def test_flows_on_the_command_line_are_those_that_exist() -> None:
    from gen.bitstream.build import FLOWS as THERE

    assert tuple(THERE) == FLOWS


# -- success -----------------------------------------------------------------------------------


def test_vivado_to_the_end(
    with_vivado: Callable[..., None], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_vivado()
    assert bitstream() == 0
    captured = capsys.readouterr()
    manifest = read_bitstream_manifest(OUT / BITSTREAM_MANIFEST_NAME)
    parameters = load_parameters("tiny")
    assert manifest == BitstreamManifest(
        config="tiny",
        build_hash=build_hash(parameters),
        parameters=parameters,
        clock_mhz=200.0,
        flow="vivado",
        tool="Vivado 2023.2",
        utilization=Utilization(lut=123456, ff=234567, bram36=221.5, dsp=512),
        slack_ns=Slack(setup=0.137, hold=0.021),
        files=manifest.files,
    )
    assert names_below(OUT) == {each.path for each in manifest.files} | {BITSTREAM_MANIFEST_NAME}
    assert {BIT_NAME, BIN_NAME, XSA_NAME} < names_below(OUT)
    assert {"reports/drc.rpt", "reports/vivado.log", "reports/build.tcl"} < names_below(OUT)
    for entry in manifest.files:
        assert manifest.content(OUT, entry.path)
        assert f"{OUT / entry.path}  {entry.size_bytes:,} bytes" in captured.out
    assert (OUT / BIN_NAME).read_bytes() == to_bin(bit_file(), "made")
    assert "LUT 123,456 (56.5%), FF 234,567" in captured.out
    assert "BRAM36 221.5 (40.6%)" in captured.out
    assert "timing at 200 MHz: met, slack 0.137 ns (setup), 0.021 ns (hold)" in captured.out
    assert f"build hash {manifest.build_hash[:8]}, Vivado 2023.2" in captured.out
    assert [each.name for each in (place / "build").iterdir()] == ["bitstream-tiny"]


def test_stages_are_shown_with_the_time(
    with_vivado: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    with_vivado()
    bitstream()
    lines = capsys.readouterr().err.splitlines()
    assert [line[9:] for line in lines if "running" not in line] == [
        f"{stage} ..."
        for stage in (
            *("Verilog", "Vivado and its devices", "project", "block design"),
            *("generation of the block design", "synthesis", "implementation", "reports"),
            *("checks of the routed design", "bitstream", "hardware platform", "result"),
        )
    ]
    assert all(line[:7].strip().replace(":", "").isdigit() for line in lines)


def test_vivado_by_variable(
    with_vivado: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_vivado()
    moved = tmp_path / "elsewhere" / "vivado-2023"
    moved.parent.mkdir()
    (tmp_path / "tools" / "vivado").rename(moved)
    monkeypatch.setenv("VIVADO", str(moved))
    assert bitstream("--out", "here") == 0
    assert Path("here", BIT_NAME).is_file()


def test_open_flow_to_the_end(with_open_tools: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert bitstream("--flow", "openxc7") == 0
    manifest = read_bitstream_manifest(OUT / BITSTREAM_MANIFEST_NAME)
    assert (manifest.flow, manifest.slack_ns) == ("openxc7", Slack(None, None))
    assert json.loads((OUT / BITSTREAM_MANIFEST_NAME).read_text())["slack_ns"]["setup"] is None
    assert {BIT_NAME, BIN_NAME, "reports/stat.json"} < names_below(OUT)
    assert XSA_NAME not in names_below(OUT)
    assert "timing at 200 MHz: no evidence that the clock is met" in capsys.readouterr().out


def test_what_the_user_tolerates_reaches_vivado(with_vivado: Callable[..., None]) -> None:
    message = "{synth_design_message} {CRITICAL WARNING: [Synth 8-6859] multi-driven net}"
    with_vivado(faults=message)
    assert bitstream() == 1
    assert bitstream("--tolerate", "Synth 8-6859", "--tolerate", "PSU-1") == 0


# -- without tools -----------------------------------------------------------------------------


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
    assert {script, "fractrain_zc706.v", "fractrain_accelerator.v"} < names_below(folder)
    assert manifest.top == "fractrain_zc706"
    assert {"aclk", "s_axi_gp0_rdata", "interrupt"} < {port.name for port in manifest.ports}
    assert not earlier.exists()
    assert bitstream("--flow", flow) == 4  # replaces what it wrote


def test_what_was_prepared_runs_by_hand(
    with_vivado: Callable[..., None], tmp_path: Path, place: Path
) -> None:
    assert bitstream("--generate-only") == 0
    with_vivado()
    folder = place / "build" / "vivado-tiny"
    command = "vivado -mode batch -notrace -nojournal -log vivado.log -source build.tcl".split()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    assert (folder / "outputs" / BIT_NAME).is_file()


def test_generate_only(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bitstream("--generate-only", "--out", "here", "--jobs", "7") == 0
    shown = capsys.readouterr().out
    assert names_below(place) == {
        f"here/{name}"
        for name in (
            *("build.tcl", "vivado.xdc", "fractrain_zc706.v", "fractrain_accelerator.v"),
            *("registers.md", MANIFEST_NAME),
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


# -- failures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ("max_slack -0.2", "checks of the routed design: timing is not met: setup slack -0.2 ns"),
        ("fail:validate_bd_design no", "block design: ERROR: [Common 17-39] 'validate_bd_design'"),
        ("kill:wait_on_run 1", "Vivado failed: synthesis: it ended by SIGKILL"),
        ("synth_design_progress 0%", "synthesis: synth_1 ended at 0%"),
    ],
)
def test_failure_leaves_no_bitstream(
    faults: str,
    says: str,
    with_vivado: Callable[..., None],
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither a new one nor the earlier one; what is left to look at is in a folder of its own."""
    with_vivado()
    assert bitstream() == 0
    with_vivado(faults=faults)
    capsys.readouterr()
    assert bitstream() == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("fractrain: error: Vivado failed: ")
    assert says in error
    assert str(FAILED) in error
    assert [each.name for each in (place / "build").iterdir()] == [FAILED.name]
    assert nothing_to_load(place)
    assert {"console.log", "vivado.log", "build.tcl", "vivado.xdc"} < names_below(FAILED)
    # The next one that succeeds takes it away.
    with_vivado()
    assert bitstream() == 0
    assert [each.name for each in (place / "build").iterdir()] == [OUT.name]


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ({"bit": b"nothing"}, "is not a .bit file"),
        ({"bit": bit_file(part="7z020clg484")}, "is for the part '7z020clg484'"),
        ({"bit": bit_file()[:-4]}, "is cut off"),
        ({"inside": bit_file(bytes.fromhex("aa995566") + b"else")}, "does not hold the bitstream"),
        ({"inside": b"x"}, f"{XSA_NAME} is damaged"),
    ],
)
def test_what_vivado_made_is_looked_at_again(
    made: dict[str, bytes],
    says: str,
    with_vivado: Callable[..., None],
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with_vivado(**made)
    assert bitstream() != 0
    assert says in capsys.readouterr().err
    assert nothing_to_load(place)


# A Vivado that says that all is well, whatever it left.
LYING_VIVADO = """\
#!/bin/sh
mkdir -p outputs reports
cp {made}/made.bit outputs/fractrain_zc706.bit
cp {made}/made.xsa outputs/fractrain_zc706.xsa
for name in timing_summary utilization utilization_hierarchical route_status drc methodology cdc \\
    clock_utilization power; do echo report > reports/$name.rpt; done
echo log > vivado.log
cat > result.txt <<END
format fractrain-vivado-result/1
vivado 2023.2
clock_mhz 200
setup_slack_ns 0.1
hold_slack_ns 0.1
lut 1
ff 2
bram36 3
dsp 4
end
END
{lie}
exit 0
"""


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        ("true", ""),
        ("rm result.txt", "left no result.txt"),
        ("sed -i /end/d result.txt", "result.txt is incomplete"),
        ("sed -i s/result.1/result-2/ result.txt", "result.txt is incomplete"),
        ("sed -i /dsp/d result.txt", "no number for dsp"),
        ("sed -i 's/lut 1/lut many/' result.txt", "no number for lut"),
        ("sed -i 's/lut 1/lut nan/' result.txt", "no number for lut"),
        ("sed -i s/_mhz.*/_mhz\\ 50/ result.txt", "the clock is 50.0 MHz, wanted were 200 MHz"),
        ("sed -i s/setup.*/setup_slack_ns\\ -1/ result.txt", "timing is not met: setup slack -1.0"),
        ("sed -i s/hold.*/hold_slack_ns\\ -1/ result.txt", "timing is not met: hold slack -1.0"),
        ("rm outputs/fractrain_zc706.bit", "left no fractrain_zc706.bit"),
        (": > outputs/fractrain_zc706.xsa", "left an empty fractrain_zc706.xsa"),
        ("rm reports/cdc.rpt", "left no cdc.rpt"),
        ("rm vivado.log", "left no vivado.log"),
        (
            "echo 'CRITICAL WARNING: [Synth 8-6859] x' >> vivado.log",
            "vivado.log: CRITICAL WARNING: [Synth 8-6859] x",
        ),
        (
            "mkdir -p project/p.runs/i; echo 'ERROR: [A 1-1] x' > project/p.runs/i/runme.log",
            "project/p.runs/i/runme.log: ERROR: [A 1-1] x",
        ),
    ],
)
def test_an_exit_code_of_0_is_not_believed(
    lie: str, says: str, tmp_path: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = write_made_files(tmp_path / "made")
    program = tmp_path / "tools" / "vivado"
    program.write_text(LYING_VIVADO.format(made=made, lie=lie))
    program.chmod(0o755)
    code = bitstream()
    if says:
        assert code == 1
        assert says in capsys.readouterr().err
        assert nothing_to_load(place)
    else:
        assert code == 0


def test_open_flow_that_fails(
    with_open_tools: None,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FAKE_FAULT", "fail nextpnr-xilinx")
    assert bitstream("--flow", "openxc7") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "the open flow failed: placement and routing: it ended with code 1: ERROR: " in error
    assert nothing_to_load(place)
    assert {"build.log", "reports/synthesis.log"} < names_below(FAILED)


def test_ruins_do_not_replace_a_folder_of_somebody(
    with_vivado: Callable[..., None], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    FAILED.mkdir(parents=True)
    (FAILED / "thesis.tex").write_text("years of work")
    with_vivado(faults="max_slack -1")
    assert bitstream() == 1
    assert (FAILED / "thesis.tex").read_text() == "years of work"
    kept = [each for each in (place / "build").iterdir() if each.name != FAILED.name]
    assert len(kept) == 1
    assert str(kept[0]) in capsys.readouterr().err
    assert (kept[0] / "console.log").is_file()


INTERRUPTIBLE = """
import sys
from gen.bitstream import vivado
from tests.gen.bitstream.fake_tools import quick_sources
vivado.sources = quick_sources
from host.cli.main import main
sys.exit(main(["bitstream", "--config", "tiny"]))
"""


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted(
    signum: int, code: int, with_vivado: Callable[..., None], place: Path, project_root: Path
) -> None:
    """The tool and its children end, nothing stays, and the earlier bitstream is gone."""
    with_vivado()
    assert bitstream() == 0
    with_vivado(faults="hang:wait_on_run 1")
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE],
        env=os.environ | {"PYTHONPATH": str(project_root)},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if "synthesis" in line:
                break
        process.send_signal(signum)
        rest = process.stderr.read()
        assert process.wait(60) == code
    assert rest.splitlines()[-1].startswith("fractrain: ")
    assert "Traceback" not in rest
    assert list((place / "build").iterdir()) == []
    assert no_process_in(place)


def no_process_in(folder: Path) -> bool:
    """Whether no process works below ``folder``, after a moment."""
    for _ in range(100):
        places = map(_working_folder, Path("/proc").iterdir())
        if not any(each.startswith(f"{folder}/") for each in places):
            return True
        time.sleep(0.05)
    return False


def _working_folder(entry: Path) -> str:
    try:
        return os.readlink(entry / "cwd") if entry.name.isdigit() else ""
    except OSError:
        return ""


# -- wrong options -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--jobs", "0"], "--jobs: got 0"),
        (["--tolerate", "everything"], "--tolerate: got 'everything'"),
    ],
)
def test_wrong_option(
    options: list[str], says: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bitstream(*options) == 2
    assert says in capsys.readouterr().err
    assert list(place.iterdir()) == []


def test_unknown_flow(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        bitstream("--flow", "quartus")
    assert exit_.value.code == 2
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
from host.cli.main import main
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
    assert "fractrain-fpga[hardware]" in result.stderr
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
    from gen.zynq.sources import sources

    monkeypatch.setattr(vivado, "sources", sources)
    assert bitstream() == 4
    text = (place / "build" / "vivado-tiny" / "fractrain_accelerator.v").read_text()
    assert len(text) > 1_000_000
    assert "module fractrain_accelerator" in text
