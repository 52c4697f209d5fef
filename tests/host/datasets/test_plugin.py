"""A data set is one file: registered, the command line trains on it, by name or by path."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fractrain import DATASETS
from fractrain.host.cli.main import main
from fractrain.host.datasets import load_dataset
from fractrain.host.runs import running
from tests.host.datasets import arrays

TRAIN = ("train", "--method", "static", "--steps", "1", "--batch", "4", "--name", "run")


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(running, "_report", lambda folder: None)
    for each in (arrays.STRIPES, arrays.ARRAYS):
        DATASETS.register(each)
    yield
    for each in (arrays.STRIPES, arrays.ARRAYS):
        DATASETS.unregister(each.name)


def write(folder: Path) -> None:
    """The stripes as arrays."""
    made = arrays.stripes()
    folder.mkdir()
    np.savez(folder / arrays.FILE, **{name: getattr(made, name) for name in arrays.NAMES})


def test_the_command_line_trains_on_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "there")
    recorded = []
    for name in ("stripes", "there"):
        assert main([*TRAIN, "--dataset", name, "--out", f"runs-{name}"]) == 0
        recorded.append(json.loads(Path(f"runs-{name}", "run", "config.json").read_text()))
    assert [each["dataset"] for each in recorded] == ["stripes", "arrays"]
    assert recorded[0]["data_sha256"] == recorded[1]["data_sha256"]
    assert recorded[0]["options"]["dataset"] == "stripes"
    assert recorded[1]["options"]["dataset"] == str(tmp_path / "there")
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "stripes (stripes of eight by eight pixels)" in shown
    assert "archive of arrays in arrays.npz, or of CIFAR-10" in shown


def test_errors_know_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main([*TRAIN, "--dataset", str(tmp_path / "empty")]) == 3
    assert "no data set, which is arrays in arrays.npz, or CIFAR-10" in capsys.readouterr().err
    write(tmp_path / "several")
    write(tmp_path / "several" / "more")
    assert main([*TRAIN, "--dataset", str(tmp_path / "several")]) == 3
    said = capsys.readouterr().err
    assert "several data sets, in arrays.npz (arrays) and more/arrays.npz (arrays)" in said


def test_files_that_may_be_something_else_give_way(tmp_path: Path) -> None:
    """``train`` and ``test`` may be CIFAR-100, or lists of what is beside them."""
    write(tmp_path / "folder")
    for name in ("train", "test"):
        (tmp_path / "folder" / name).touch()
    assert load_dataset(str(tmp_path / "folder")).name == "arrays"
