"""`fractrain sweep`: real runs, what they leave, what is refused, how it goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from fractrain.host.cli.main import main
from fractrain.host.training.run_lock import is_locked

SHORT = {"batch": 4, "test_images": 4}


def write(path: Path, **document: object) -> Path:
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def runs_in(out: Path) -> dict[str, Path]:
    """Folders of runs without their digests."""
    folders = [path.parent for path in out.glob("*/config.json") if path.parent.name != "latest"]
    return {folder.name.rpartition("-")[0]: folder for folder in folders}


def contents(folder: Path) -> dict[Path, tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_from_file_to_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One run diverges; the other does not mind, and is left alone by a second call."""
    sweep = write(
        tmp_path / "s.yaml",
        base=SHORT
        | {"steps": 8, "method": "static", "lr_schedule": "constant", "weight_decay": 1}
        | {"mode": "float"},  # the integers of hardware mode saturate instead
        points=[{"lr": 1000}, {"precision": [4, 3, 6]}],
    )
    out = tmp_path / "out"
    command = ["sweep", str(sweep), "--out", str(out), "--workers", "1"]
    assert main(command) == 1
    shown, error = capsys.readouterr()
    assert error == (
        "fractrain: error: 1 of 2 runs failed (above); the same command tries them again\n"
    )
    assert "2 runs; 1 at a time" in shown
    assert "[1/2] lr=1000 precision=8,8,8: failed: " in shown
    assert "[2/2] lr=0.1 precision=4,3,6: test accuracy " in shown
    run = runs_in(out)["lr0.1-precision4_3_6"]
    summary = json.loads((run / "summary.json").read_text())
    row = next(line.split() for line in shown.splitlines() if line.startswith("2  "))
    accuracy, saving = f"{summary['test_accuracy']:.2f}", f"{100 * summary['saving']:.1f}"
    assert row[:5] == ["2", "0.1", "4,3,6", accuracy, "%"]
    assert row[7:9] == [saving, "%"] and row[-1] == "finished"
    document = json.loads((out / "sweep.json").read_text())
    assert [each["state"] for each in document["points"]] == ["failed", "finished"]
    assert document["points"][0]["error"] and document["points"][0]["test_accuracy"] is None
    assert document["points"][1]["weights_sha256"] == summary["weights_sha256"]

    before = contents(run)
    assert main(command) == 1
    assert "2 runs, 1 finished before; 1 at a time" in capsys.readouterr().out
    assert contents(run) == before
    assert main([*command, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("(finished)") == 1 and shown.count("  fractrain train ") == 2
    assert shown.splitlines()[-1] == "2 runs, 1 to do, 8 steps at most"


def interrupt_after(lines: int, sweep: Path, out: Path) -> tuple[str, str]:
    """Send SIGTERM once the run that goes on has logged more than ``lines``; what was printed."""
    command = [sys.executable, "-m", "fractrain", "sweep", str(sweep), "--out", str(out)]
    with subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while process.poll() is None:
            if any(log.read_bytes().count(b"\n") > lines for log in out.glob("run-*/log.jsonl")):
                process.send_signal(signal.SIGTERM)
                break
            time.sleep(0.01)
        shown, error = process.communicate()
    assert process.returncode == 143, error
    return shown, error


def test_interrupted_and_gone_on_with(tmp_path: Path) -> None:
    """SIGTERM in a run that would take hours: its state is saved; the same command goes on."""
    sweep = write(
        tmp_path / "s.yaml",
        base=SHORT | {"method": "static", "checkpoint_every": 10**6, "evaluate_every": 10**6},
        points=[{"steps": 10**6}],
    )
    out = tmp_path / "out"
    _, error = interrupt_after(0, sweep, out)
    assert "interrupted, 0 of 1 runs finished; to go on: fractrain sweep " in error
    run = runs_in(out)["run"]
    assert len(list((run / "checkpoints").iterdir())) == 1, "written because of the signal"
    saved = (run / "log.jsonl").read_bytes()
    steps = len(saved.splitlines())

    shown, _ = interrupt_after(steps, sweep, out)
    assert f"goes on after step {steps} of 1000000" in shown
    log = (run / "log.jsonl").read_bytes()
    assert log.startswith(saved) and len(log) > len(saved)
    assert not is_locked(run), "no process is left behind"


@pytest.mark.parametrize(
    ("document", "code", "message"),
    [
        (
            {"grid": {"epsilon": [0.1, "x"]}},
            2,
            "--epsilon: got 'x', allowed: a number, greater than 0, at most 1e+09 (grid in ",
        ),
        (
            {"points": [{"batch": 1.5}]},
            2,
            "--batch: got '1.5', allowed: a whole number, 1..65536 (",
        ),
        (
            {"points": [{"method": "x"}]},
            2,
            "--method: got 'x', allowed: static, cpt, pfq, dfq, frac",
        ),
        (
            {"points": [{"steps": 1, "epochs": 1}]},
            2,
            "argument --epochs: not allowed with argument --steps (fra",
        ),
        (
            {"points": [{"targets": "1,x"}]},
            2,
            "--targets: got '1,x', allowed: 1..64 numbers greater th",
        ),
        ({"points": [{"batch": 5000}]}, 2, "batch: got 5000, allowed: 1..1438 images (points[0]"),
        ({"points": [{"model": "resnet9"}]}, 2, "model: got 'resnet9', allowed: resnet8"),
        ({"points": [{"device": "cuda"}]}, 2, "--device: got 'cuda', allowed: none with"),
        (
            {"points": [{"log_programs": True}]},
            2,
            "--log-programs: got True, allowed: with a backend that",
        ),
        ({"points": [{"backend": "cosim", "mode": "reference"}]}, 2, "allowed: hardware or float"),
        ({"points": [{"config": "huge"}]}, 3, "points[0] in "),
        ({"points": [{"dataset": "nowhere"}]}, 2, "dataset: got '"),
        (
            {"grid": {"method": ["pfq", "static"], "alpha": [0.3]}},
            2,
            "--alpha: got 0.3, allowed: with --method pfq or fractrain only (grid in ",
        ),
        ({"points": [{}, {"alpha": 0.4}]}, 2, "run of points[1] in "),
        ({"points": [{"name": "x"}]}, 2, "name is given by the sweep itself"),
        ({"grid": {}}, 2, "grid in "),
    ],
)
def test_nothing_is_run_if_anything_is_wrong(
    document: dict,
    code: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sweep = write(tmp_path / "s.yaml", **document)
    assert main(["sweep", str(sweep), "--out", str(tmp_path / "out")]) == code
    shown, error = capsys.readouterr()
    assert error.startswith("fractrain: error: ") and error.count("\n") == 1
    assert message in error and str(sweep) in error
    assert shown == "" and not (tmp_path / "out").exists()


def test_workers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = write(tmp_path / "s.yaml", points=[{"steps": 1}])
    assert main(["sweep", str(sweep), "--out", str(tmp_path), "--workers", "0"]) == 2
    assert "--workers: got '0', allowed: a whole number, 1..1024" in capsys.readouterr().err


def test_dask_is_needed_for_a_scheduler_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    sweep = write(tmp_path / "s.yaml", points=[{"steps": 1}])
    command = ["sweep", str(sweep), "--out", str(tmp_path), "--scheduler", "tcp://host:1"]
    assert main(command) == 4
    assert "pip install -e '" in capsys.readouterr().err
