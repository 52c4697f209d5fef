"""A disk that fills up: one line that names the file, nothing half-written, no figures lost."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fractrain.host.benchmarks import measuring
from fractrain.host.benchmarks.benches import Benchmark, Figures
from fractrain.host.cli.main import main
from fractrain.host.files import atomic as atomic_files
from fractrain.host.sweeps import running as sweep
from fractrain.hw.contract.errors import DataError
from tests.host.reports.synthetic import write_run

TRAIN = ("train", "--steps", "1", "--batch", "4", "--test-images", "4", "--name", "run")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever must be durable does not fit."""

    def fsync(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_files.os, "fsync", fsync)


def test_figures_that_took_minutes_are_shown_first(
    full: None, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure() -> Iterator[Figures]:
        while True:
            yield {"things/s": 1234.0}

    monkeypatch.setattr(measuring, "BENCHMARKS", [Benchmark("speed", "of things", measure)])
    assert main(["bench", "--rounds", "1", "--json", "out.json"]) == 3
    said = capsys.readouterr()
    assert "1,230" in said.out
    assert said.err.splitlines()[-1] == (
        "fractrain: error: cannot write out.json: No space left on device"
    )
    assert os.listdir(place) == []


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (["report", "a"], "runs/a/report.html"),
        (["report", "a", "--out", "page.html"], "page.html"),
        (["compare", "a", "b", "--json", "all.json"], "all.json"),
        (list(TRAIN), "runs/run"),
    ],
)
def test_the_file_is_named(
    arguments: list[str],
    file: str,
    place: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in "ab":
        write_run(place / "runs" / name)
    request.getfixturevalue("full")
    assert main(arguments) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fractrain: error: cannot write ")
    assert line.endswith(f"{file}: No space left on device")
    assert not (place / file).exists()
    assert not list(place.rglob("*.tmp"))


def test_a_run_is_finished_whatever_becomes_of_its_page(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write_whole(path: Path, text: str) -> None:
        raise DataError(f"cannot write {path.name}: No space left on device")

    monkeypatch.setattr("fractrain.host.reports.page_file.write_whole", write_whole)
    assert main(list(TRAIN)) == 0
    said = capsys.readouterr()
    assert said.out.rstrip().endswith("runs/run/summary.json")
    assert said.err.splitlines()[-1] == (
        "fractrain: note: no HTML report: cannot write report.html: No space left on device"
    )
    assert (place / "runs" / "run" / "summary.json").is_file()


def test_a_sweep_is_finished_whatever_becomes_of_its_page(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its results are in the document before."""

    def write_whole(path: Path, text: str) -> None:
        raise DataError(f"cannot write {path.name}: No space left on device")

    monkeypatch.setattr(sweep, "write_whole", write_whole)
    monkeypatch.setattr(sweep, "render_sweep_page", lambda page: "page")
    monkeypatch.setattr(sweep, "_page", lambda source, results: None)
    monkeypatch.setattr(sweep, "document", lambda source, results: {"runs": []})
    sweep._keep(place / "sweep.yaml", place, [])
    assert (place / "sweep.json").is_file()
    assert "no sweep.html: cannot write sweep.html: No space" in capsys.readouterr().out
