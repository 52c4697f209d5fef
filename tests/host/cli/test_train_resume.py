"""`fractrain train --resume`: which run goes on, with which options, and what signals leave."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.cli.main import main
from fractrain.host.runs import running as command
from fractrain.host.training.trainer import StepReport, Trainer

SHORT = [
    *("--steps", "6", "--batch", "4", "--checkpoint-every", "2", "--evaluate-every", "3"),
    *("--test-images", "5"),
]


@pytest.fixture(autouse=True)
def nothing_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here takes power from the disk, or looks at the report."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(command, "_report", lambda folder: None)


class PowerError(Exception):
    """It went off."""


def train(out: Path, *options: str) -> int:
    return main(["train", "--out", str(out), *options])


def interrupted(out: Path, monkeypatch: pytest.MonkeyPatch, *options: str, after: int = 4) -> None:
    """A run whose power goes off after so many steps."""
    step = Trainer._step

    def failing(self: Trainer, *args: Any) -> StepReport:
        if self.step == after:
            raise PowerError
        return step(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_step", failing)
        with pytest.raises(PowerError):
            train(out, *SHORT, *options)


def result(out: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((out / name / "summary.json").read_text())
    return document


def same(out: Path, first: str, second: str) -> bool:
    logs = [(out / name / "log.jsonl").read_bytes() for name in (first, second)]
    return (
        logs[0] == logs[1]
        and result(out, first)["weights_sha256"] == result(out, second)["weights_sha256"]
    )


# -- options -----------------------------------------------------------------------------------

MANY = [
    *("--method", "pfq", "--schedule-forward", "3,4", "--schedule-backward", "6,6"),
    *("--interval", "1", "--eps", "1e9", "--chunk", "2", "--lr-schedule", "step"),
    *("--lr", "0.05", "--seed", "2", "--weight-levels", "max", "--momentum", "0.8"),
]


def test_all_options_are_those_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--name", "whole", *SHORT, *MANY) == 0
    interrupted(tmp_path, monkeypatch, "--name", "parts", *MANY)
    capsys.readouterr()
    assert train(tmp_path, "--resume") == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("going on after 4 of 6 steps\nstep 5/6 ")
    assert shown.out.rstrip().endswith(str(tmp_path / "parts" / "summary.json"))
    assert shown.err == ""
    assert same(tmp_path, "whole", "parts")


@pytest.mark.parametrize("mode", ["hardware", "reference"])
def test_files_named_at_the_start_are_not_needed_where_they_were(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project_root: Path
) -> None:
    """A recipe that has gone; the configuration of the machine, from another folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("recipe.yaml").write_text("targets: [2, 3]\ncandidates: [[3, 6], [8, 8]]\ninterval: 1\n")
    Path("machine.yaml").write_text((project_root / "configs" / "tiny.yaml").read_text())
    options = ["--recipe", "recipe.yaml", "--config", "machine.yaml", "--epsilon", "1e9"]
    options += ["--mode", mode]
    assert train(tmp_path, "--name", "whole", *SHORT, *options) == 0
    interrupted(tmp_path, monkeypatch, "--name", "parts", *options)
    Path("recipe.yaml").unlink()
    monkeypatch.chdir(tmp_path)
    assert train(tmp_path, "--resume", "parts") == 0
    assert same(tmp_path, "whole", "parts")


def test_options_that_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(tmp_path, monkeypatch, "--name", "run", *MANY)
    (tmp_path / "recipe.yaml").write_text("schedule_forward: [3, 4]\nmethod: pfq\n")
    recipe = ["--recipe", str(tmp_path / "recipe.yaml")]
    assert train(tmp_path, "--resume", str(tmp_path / "run"), *SHORT, *MANY, *recipe) == 0


def test_how_often_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(tmp_path, monkeypatch, "--name", "run", after=5)
    often = ["--checkpoint-every", "1", "--evaluate-every", "1"]
    assert train(tmp_path, "--resume", "run", *often) == 0
    lines = (tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [3, 4, 5, 6]
    kept = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert kept == ["step-00000005.checkpoint", "step-00000006.checkpoint"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "7"], "--steps: got 7, allowed: 6, as the run was started with"),
        (["--epochs", "1"], "--epochs: got 1, allowed: nothing, as the run"),
        (["--lr", "0.1"], "--lr: got 0.1, allowed: 0.05"),
        (["--model", "resnet20"], "--model: got 'resnet20', allowed: 'resnet8'"),
        (["--method", "static"], "--method: got 'static', allowed: 'pfq'"),
        (["--schedule-forward", "3,8"], "--schedule-forward: got '3,8', allowed: '3,4'"),
        (["--precision", "4,4,6"], "--precision: got '4,4,6', allowed: nothing"),
        (["--weight-levels", "clip"], "--weight-levels: got 'clip', allowed: 'max'"),
        (["--name", "other"], "--name: got 'other', allowed: without --resume only"),
        (["--overwrite"], "--overwrite: got True, allowed: without --resume only"),
        (["--checkpoint-every", "0"], "--checkpoint-every: got '0'"),
        (["--recipe", "recipe.yaml"], "alpha in recipe.yaml: got 0.1, allowed: 0.4"),
    ],
)
def test_options_that_say_something_else(
    options: list[str],
    message: str,
    unfinished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text("epsilon: 1.0e+9\nalpha: 0.1\n")
    assert train(unfinished, "--resume", "run", *options) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"fractrain: error: {message}") and error.count("\n") == 1


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs in which ``run`` is unfinished; tests leave it as it is."""
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as monkeypatch:
        interrupted(out, monkeypatch, "--name", "run", *MANY)
    return out


# -- what is there -----------------------------------------------------------------------------


def test_a_finished_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path, "--name", "run", *SHORT) == 0
    before = (tmp_path / "run" / "summary.json").read_bytes()
    capsys.readouterr()
    assert train(tmp_path, "--resume", "run") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'run'} is finished: nothing is left to do\n"
    assert (tmp_path / "run" / "summary.json").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
def test_a_summary_that_is_damaged_is_written_anew(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--name", "run", *SHORT) == 0
    path = tmp_path / "run" / "summary.json"
    before = result(tmp_path, "run")
    path.write_bytes(content)
    assert train(tmp_path, "--resume") == 0
    assert f"fractrain: note: {path} is damaged: it is written anew" in capsys.readouterr().err
    assert result(tmp_path, "run")["weights_sha256"] == before["weights_sha256"]


def test_damaged_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The newest, then all of them."""
    assert train(tmp_path, "--name", "whole", *SHORT) == 0
    for name, damaged, step in (("one", ["4"], 3), ("all", ["3", "4"], 0)):
        interrupted(tmp_path, monkeypatch, "--name", name)
        for number in damaged:
            path = tmp_path / name / "checkpoints" / f"step-0000000{number}.checkpoint"
            path.write_bytes(path.read_bytes()[:-100])
        capsys.readouterr()
        assert train(tmp_path, "--resume", name) == 0
        shown = capsys.readouterr()
        assert shown.out.startswith(f"going on after {step} of 6 steps")
        assert f"fractrain: note: {path} is not used" in shown.err
        assert ("from step 0" in shown.err) == (name == "all")
        assert same(tmp_path, "whole", name)


@pytest.mark.parametrize(
    ("field", "value", "code", "message"),
    [
        ("data_sha256", "0", 3, "data_sha256 was '0', is now '"),
        ("machine", {}, 3, "machine was {}, is now"),
        ("options", None, 3, "lacks options, method_options"),
        ("options", {}, 3, "lacks dataset of options"),
        ("published_range", False, 3, "is of an older version, with --published-range: start"),
        ("versions", {"numpy": "1.0"}, 0, "note: the run began with {'numpy': '1.0'}"),
    ],
)
def test_what_is_not_as_it_was(
    field: str,
    value: object,
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupted(tmp_path, monkeypatch, "--name", "run")
    path = tmp_path / "run" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    assert train(tmp_path, "--resume", "run") == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch", "many"),
        ("batch", 0),
        ("batch", None),
        ("lr", float("inf")),
        ("seed", 1.5),
        ("backend", "abacus"),
        ("dataset", 3),
        ("model", None),
        ("flip", 1),
    ],
)
def test_a_record_with_a_value_that_no_option_has(
    name: str, value: object, unfinished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = unfinished / "run" / "config.json"
    before = path.read_text()
    config = json.loads(before)
    config["options"][name] = value
    path.write_text(json.dumps(config))
    try:
        assert train(unfinished, "--resume", "run") == 3
    finally:
        path.write_text(before)
    error = capsys.readouterr().err
    assert f"config.json is damaged: options: {name}: got " in error and error.count("\n") == 1


# -- signals -----------------------------------------------------------------------------------


@contextmanager
def running(out: Path, project_root: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`fractrain train` in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fractrain", "train", "--out", str(out), *options],
        cwd=project_root,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(project_root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_steps(process: subprocess.Popen[str], log: Path, steps: int) -> None:
    deadline = time.monotonic() + 60
    while not log.exists() or log.read_bytes().count(b"\n") < steps:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


def test_signals_and_a_second_process(
    tmp_path: Path, project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endless = ["--name", "run", "--steps", "100000", "--batch", "4", "--test-images", "5"]
    log, done = tmp_path / "run" / "log.jsonl", 0
    for options, sent in (
        (endless, signal.SIGTERM),
        (["--resume", "run"], signal.SIGINT),
    ):
        with running(tmp_path, project_root, *options) as process:
            wait_for_steps(process, log, done + 2)
            assert train(tmp_path, "--resume", "run") == 1
            assert "run is in use: another process" in capsys.readouterr().err
            process.send_signal(sent)
            shown, error = process.communicate(timeout=60)
        assert process.returncode == 128 + sent
        assert done == 0 or shown.startswith(f"going on after {done} of 100000 steps\n")
        done = log.read_bytes().count(b"\n")
        error = "".join(each for each in error.splitlines(True) if "reading digits" not in each)
        assert error == (
            f"fractrain: interrupted after {done} of 100000 steps; to go on: "
            f"fractrain train --resume {tmp_path / 'run'}\n"
        )
        newest = max(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
        assert newest == f"step-{done:08d}.checkpoint"
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps == list(range(done))
