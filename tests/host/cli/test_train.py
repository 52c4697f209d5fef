"""`fractrain train`: what it writes and prints, what it refuses, what an interruption leaves."""

import json
import os
import sys
from pathlib import Path

import pytest

from fractrain.host.cli.main import main
from fractrain.host.runs import running as command
from fractrain.host.training.trainer import Trainer

REQUIRED = {
    *("dataset", "model", "method", "backend", "config", "seed", "steps", "test_accuracy"),
    *("effective_macs", "effective_macs_fw8bw8", "saving", "weights_sha256"),
}


write_page = command._report


@pytest.fixture(autouse=True)
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing it takes longer than all else here."""
    monkeypatch.setattr(command, "_report", lambda folder: None)


def train(out: Path, *options: str) -> int:
    """Two small steps."""
    short = ["--steps", "2", "--batch", "4", "--test-images", "5"]
    return main(["train", "--out", str(out), *short, *options])


def summary(out: Path, name: str = "latest") -> dict:
    return json.loads((out / name / "summary.json").read_text())


def test_summary(tmp_path: Path) -> None:
    assert train(tmp_path) == 0
    result = summary(tmp_path)
    assert result.keys() >= REQUIRED
    assert (result["dataset"], result["model"], result["method"]) == (
        "digits",
        "resnet8",
        "fractrain",
    )
    assert (result["backend"], result["config"]) == ("golden", "tiny")
    assert (result["seed"], result["steps"], result["test_images"]) == (0, 2, 5)
    assert 0 < result["effective_macs"] < result["effective_macs_fw8bw8"]
    assert len(result["weights_sha256"]) == 64
    assert result["stages"] == [{"target_cp": 2.08, "first_step": 0, "first_epoch": 0}]
    assert result["stages_planned"] == 4
    assert result["counters"]["cycles"] == 0


def test_same_seed_same_weights(tmp_path: Path) -> None:
    for name, options in {
        "a": [],
        "b": [],
        "c": ["--seed", "1"],
        "d": ["--method", "static", "--precision", "8,8,8"],
    }.items():
        assert train(tmp_path, "--name", name, *options) == 0
    prints = {name: summary(tmp_path, name)["weights_sha256"] for name in "abcd"}
    assert prints["a"] == prints["b"]
    assert len(set(prints.values())) == 3
    assert summary(tmp_path, "d")["saving"] == 0


def test_default_names_do_not_collide(tmp_path: Path) -> None:
    assert train(tmp_path) == train(tmp_path) == 0
    base = "digits-resnet8-fractrain-golden-seed0"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [base, f"{base}-2", "latest"]
    assert (tmp_path / "latest").readlink() == Path(f"{base}-2")


def test_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_report", write_page)
    train(tmp_path, "--name", "run", "--method", "static", "--precision", "4,3,6")
    shown = capsys.readouterr().out
    assert "step 1/2" in shown and "bits 4/3/6" in shown and "left" in shown
    for row in ("test accuracy", "stages visited", "effective MACs", "latency", "energy", "saved"):
        assert row in shown
    assert f"{100 * summary(tmp_path)['saving']:.1f} %" in shown
    page = tmp_path / "run" / "report.html"
    assert shown.endswith(f"{tmp_path / 'run' / 'summary.json'}\n{page}\n")
    assert "<html" in page.read_text()


def test_without_what_draws_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_report", write_page)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert train(tmp_path, "--name", "run") == 0
    shown = capsys.readouterr()
    assert "note: no HTML report: " in shown.err
    assert shown.out.endswith(f"{tmp_path / 'run' / 'summary.json'}\n")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--precision", "4,4,6"], 2, "--precision: got '4,4,6', allowed: with --method static"),
        (["--method", "static", "--alpha", "0.1"], 2, "--alpha: got 0.1, allowed: with --method"),
        (["--method", "static", "--precision", "4"], 2, "three numbers a,w,e"),
        (["--method", "static", "--precision", "0,4,6"], 2, "at least 1 bit"),
        (["--schedule-forward", "3,x"], 2, "--schedule-forward: got '3,x'"),
        (["--schedule-forward", "3,4"], 2, "--schedule-forward: got '3,4', allowed: with --method"),
        (["--method", "pfq", "--schedule-forward", "3,4"], 2, "same length"),
        (["--schedule-backward", "6,6,8,17"], 2, "0..16"),
        (["--candidates", "3/6,4"], 2, "--candidates: got '3/6,4'"),
        (["--method", "pfq", "--candidates", "3/6,4/8"], 2, "--candidates: got '3/6,4/8'"),
        (["--targets", "1,x"], 2, "--targets: got '1,x'"),
        (["--mode", "reference", "--weight-levels", "odd"], 2, "with --mode hardware or float"),
        (["--published-range"], 2, "unknown option: --published-range"),
        (["--checkpoint-every", "0"], 2, "--checkpoint-every: got '0'"),
        (["--evaluate-every", "0"], 2, "--evaluate-every: got '0'"),
        (["--resume"], 2, "--resume: got '', allowed: a run; none in"),
        (["--resume", "x"], 2, "--resume: got 'x', allowed: the folder of a run"),
        (["--batch", "0"], 2, "--batch: got '0'"),
        (["--batch", "5000"], 2, "1..1438"),
        (["--seed", "-1"], 2, "--seed: got '-1'"),
        (["--steps", "0"], 2, "--steps: got '0'"),
        (["--lr", "0"], 2, "--lr: got '0'"),
        (["--momentum", "1"], 2, "--momentum: got '1'"),
        (["--weight-decay", "-1"], 2, "--weight-decay: got '-1'"),
        (["--overwrite"], 2, "--name"),
        (["--log-programs"], 2, "--log-programs: got True, allowed: with a backend that runs"),
        (["--name", "a/b"], 2, "--name: got 'a/b'"),
        (["--model", "resnet9"], 2, "model: got 'resnet9'"),
        (["--config", "huge"], 3, "huge"),
    ],
)
def test_wrong_options(
    options: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train(tmp_path / "runs", *options) == code
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("fractrain: error: ") and error.count("\n") == 1
    assert not (tmp_path / "runs").exists() or list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize(
    ("method", "note"),
    [
        ("static", "fractrain: note: --method static does not read beta of recipe short\n"),
        ("fractrain", ""),
    ],
)
def test_a_recipe_that_the_method_does_not_read(
    method: str, note: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--name", "run", "--method", method, "--recipe", "short") == 0
    assert capsys.readouterr().err == note


def test_taken_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path, "--name", "run") == 0
    assert train(tmp_path, "--name", "run", "--seed", "1") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert summary(tmp_path)["seed"] == 0
    assert train(tmp_path, "--name", "run", "--seed", "1", "--overwrite") == 0
    assert summary(tmp_path)["seed"] == 1


def test_a_run_that_never_began_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_step", interrupt)
    assert train(tmp_path) == 130
    assert capsys.readouterr().err == "fractrain: interrupted\n"
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    options = "dataset model method backend config steps epochs batch seed name lr precision eps"
    for option in [*options.split(), "alpha", "schedule-forward", "schedule-backward", "out"]:
        assert f"--{option}" in shown
    assert "examples:" in shown


def test_crops_and_flips_can_be_chosen(tmp_path: Path) -> None:
    def weights(*options: str) -> str:
        name = "-".join(("run", *options))
        arguments = ["--steps", "2", "--batch", "8", "--out", str(tmp_path), "--name", name]
        assert main(["train", *arguments, "--test-images", "1", *options]) == 0
        return str(json.loads((tmp_path / name / "summary.json").read_text())["weights_sha256"])

    usual = weights()
    assert weights("--crop", "1", "--no-flip") == usual
    assert len({usual, weights("--crop", "0"), weights("--flip")}) == 3


def test_a_crop_as_large_as_the_images(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--crop", "16"]) == 2
    assert "--crop: got 16, allowed: less than 16" in capsys.readouterr().err


def test_a_recipe_may_come_through_a_pipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As by ``--recipe <(...)``: it can be read once."""
    reader, writer = os.pipe()
    os.write(writer, b"precision: [4, 4, 6]\nbeta: 0.03\n")
    os.close(writer)
    options = ["--steps", "1", "--batch", "4", "--test-images", "4", "--out", str(tmp_path)]
    recipe = f"/dev/fd/{reader}"
    assert main(["train", "--method", "static", "--recipe", recipe, "--name", "run", *options]) == 0
    os.close(reader)
    assert "does not read beta of recipe" in capsys.readouterr().err
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["method_options"]["precision"] == [4, 4, 6]
