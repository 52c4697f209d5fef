"""`fractrain trace` as a user sees it."""

from pathlib import Path

import pytest

from fractrain.host.cli.main import main
from fractrain.host.machines.trace_files import read_trace
from tests.host.machines.runs import MIXED, write_small_run


def test_a_run_becomes_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_small_run(tmp_path / "runs" / "mixed", MIXED)
    monkeypatch.chdir(tmp_path)
    assert main(["trace", "mixed"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["steps", "8"] in lines and ["blocks", "3"] in lines
    assert lines[-1] == ["mixed-trace.json"]
    trace = read_trace(Path("mixed-trace.json"))
    assert trace.steps == 8 and trace.source["method"] == "fractrain"
    assert main(["trace", "mixed-trace.json", "--out", "again.json"]) == 0
    assert Path("again.json").read_text() == Path("mixed-trace.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("nothing", 3, "no run nothing"),
        ("resnet8:9", 2, "precision of the mix"),
        ("missing.json", 3, "cannot read missing.json"),
        ("resnet8:4,4,6 --out none/x.json", 3, "none/x.json"),
    ],
)
def test_mistakes_are_one_line(
    arguments: str,
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["trace", *arguments.split()]) == code
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
