"""`fractrain train --dataset PATH`: what is said of the data, and what the run is called."""

import json
import os
from pathlib import Path

import pytest

from fractrain.host.cli.main import main
from fractrain.host.runs import running as command
from tests.host.datasets.archives import image_folder, write_folder, write_tar


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, without pages: drawing one takes longer than all else here."""
    monkeypatch.setattr(command, "_report", lambda folder: None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(path: str, *options: str) -> int:
    return main(["train", f"--dataset={path}", "--steps=1", "--batch=4", *options])


def test_what_is_left_out_is_said_on_stderr(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = image_folder()["train/cat/0000.png"]
    more = {"train/cat/._0.png": b"", "train/x.png": pixels, "test/cat/a.csv": b""}
    write_folder(folder / "D", image_folder() | more)
    assert train("D", "--name=run") == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "fractrain: note: D: 1 image left out, in no folder of a class: train/x.png",
        "fractrain: note: D: 1 file left out, as images are read as JPEG, PNG, BMP, GIF, WebP, "
        "TIFF, PPM: test/cat/a.csv",
    ]
    assert main(["train", "--resume=run"]) == 0  # finished: not read again
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("./.data", "data"),
        ("-x", "x"),
        ("a b\nc", "a-b-nc"),
        (os.fsdecode(b"caf\xe9"), "caf-udce9"),
        ("画像", "images"),
        ("set.v2.tar.gz", "set.v2"),
    ],
)
def test_runs_are_called_like_their_data(path: str, name: str, folder: Path) -> None:
    write = write_tar if path.endswith(".gz") else write_folder
    write(folder / path, image_folder())
    assert train(path) == 0
    run = folder / "runs" / f"{name}-resnet8-fractrain-golden-seed0"
    config = json.loads((run / "config.json").read_text())
    assert config["options"]["dataset"] == str((folder / path).absolute())
    assert train(path, "--mode=reference") == 0
    assert (folder / "runs" / f"{name}-resnet8-fractrain-reference-golden-seed0").is_dir()


def test_a_page_about_a_path_that_is_no_utf_8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = os.fsdecode(b"caf\xe9")
    write_folder(tmp_path / path, image_folder())
    assert train(path, "--out=runs") == 0
    page = capsys.readouterr().out.splitlines()[-1]
    assert r"caf\udce9" in Path(page).read_text(encoding="utf-8")
