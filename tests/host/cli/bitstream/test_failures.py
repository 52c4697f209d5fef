"""Whatever goes wrong leaves no bitstream: a tool that fails, lies, dies or is interrupted."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gen.bitstream.bit_files import bit_file
from tests.gen.bitstream.fake_tools import write_made_files
from tests.host.cli.bitstream.folders import (
    FAILED,
    OUT,
    XSA,
    bitstream,
    names_below,
    nothing_to_load,
)


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ("max_slack -0.2", "checks of the routed design: timing is not met: setup slack -0.2 ns"),
        (
            "synth_design_progress 0% synth_design_message {ERROR: [Common 17-345] No license}",
            "synthesis: this Vivado has no licence for the XC7Z045, which its free edition does",
        ),
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
        ({"inside": b"x"}, f"{XSA} is damaged"),
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
mkdir -p outputs reports project/p.runs/synth_1 project/p.runs/impl_1 project/p.runs/impl_2
cp {made}/made.bit outputs/fractrain_zc706.bit
cp {made}/made.xsa outputs/fractrain_zc706.xsa
for name in timing_summary utilization utilization_hierarchical route_status drc methodology cdc \\
    clock_utilization power; do echo report > reports/$name.rpt; done
echo log > vivado.log
cat > result.txt <<END
format fractrain-vivado-result/1
vivado 2023.2
run impl_2
strategy Performance_Explore
clock_mhz 200
setup_slack_ns 0.1
hold_slack_ns 0.1
lut 1
memory_lut 1
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
        ("sed -i 's/^lut 1/lut many/' result.txt", "no number for lut"),
        ("sed -i 's/^lut 1/lut nan/' result.txt", "no number for lut"),
        ("sed -i /memory_lut/d result.txt", "no number for memory_lut"),
        ("sed -i '/run/d; /strategy/d' result.txt", "result.txt does not say: run, strategy"),
        ("sed -i s/_mhz.*/_mhz\\ 50/ result.txt", "the clock is 50.0 MHz, wanted were 200 MHz"),
        ("sed -i s/setup.*/setup_slack_ns\\ -1/ result.txt", "timing is not met: setup slack -1.0"),
        ("sed -i s/hold.*/hold_slack_ns\\ -1/ result.txt", "timing is not met: hold slack -1.0"),
        ("rm outputs/fractrain_zc706.bit", "left no fractrain_zc706.bit"),
        ("cd outputs; mv fractrain_zc706.bit half.tmp", "left no fractrain_zc706.bit"),
        (": > outputs/fractrain_zc706.xsa", "left an empty fractrain_zc706.xsa"),
        ("rm reports/cdc.rpt", "left no cdc.rpt"),
        ("rm vivado.log", "left no vivado.log"),
        (
            "echo 'CRITICAL WARNING: [Synth 8-6859] x' >> vivado.log",
            "vivado.log: CRITICAL WARNING: [Synth 8-6859] x",
        ),
        (
            "cd project/p.runs/impl_2; echo 'ERROR: [A 1-1] x' > runme.log",
            "project/p.runs/impl_2/runme.log: ERROR: [A 1-1] x",
        ),
        (
            "cd project/p.runs/synth_1; echo 'WARNING: [Synth 8-4767] x' > runme.log",
            "project/p.runs/synth_1/runme.log: WARNING: [Synth 8-4767] x",
        ),
        # an attempt that was not taken
        ("cd project/p.runs/impl_1; echo 'ERROR: [A 1-1] x' > runme.log", ""),
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


@pytest.mark.parametrize(
    ("tool", "stage"),
    [
        ("nextpnr-xilinx", "placement and routing"),
        ("fasm2frames", "frames"),
        ("xc7frames2bit", "bitstream"),
    ],
)
def test_open_flow_that_fails(
    tool: str,
    stage: str,
    with_open_tools: None,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With what the failed tool had written until then, as the ones before it."""
    monkeypatch.setenv("FAKE_FAULT", f"fail late {tool}")
    assert bitstream("--flow", "openxc7") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"the open flow failed: {stage}: it ended with code 1: ERROR: " in error
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
from fractrain.gen.bitstream import vivado
from tests.gen.bitstream.fake_tools import quick_sources
vivado.sources = quick_sources
from fractrain.host.cli.main import main
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
