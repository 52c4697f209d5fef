"""`fractrain simulate`: the real command on the RTL, its figures, and what it refuses."""

import json
from pathlib import Path

import pytest

from host.cli.main import main


def test_a_training_step_equals_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "new" / "figures.json"
    code = main(["simulate", "--batch", "1", "--precision", "3,2,4", "--json", str(report)])
    out = capsys.readouterr().out
    assert code == 0 and "26 convolutions on tiny equal the golden model bit for bit" in out
    document = json.loads(report.read_text())
    rows = {(row["pass"], row["geometry"]): row for row in document["rows"]}
    row = rows["forward", "16 -> 16 3x3/1 on 16x16"]
    # 2 layers x 256 pixels x 16 channels x 144 taps
    assert row["macs"] == 2 * 256 * 16 * 144 and row["calls"] == 2
    # 32 row tiles x 4 column tiles x 4 slices x 3 x 2 passes, twice
    assert row["busy_cycles"] == 2 * 32 * 4 * 4 * 3 * 2
    assert 0 < row["efficiency"] <= row["utilization"] <= 1
    assert list(report.parent.iterdir()) == [report]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--precision", "4,4"], "precision: got '4,4', allowed: three numbers a,w,e"),
        (["--precision", "0,4,4"], "precision: got '0,4,4', allowed: at least 1 bit"),
        (["--batch", "0"], "batch: got 0, allowed: at least 1"),
        (["--model", "vgg"], "model: got 'vgg'"),
        (["--config", "nowhere"], "configuration 'nowhere'"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", *arguments]) in (2, 3)
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_an_unwritable_report_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    target = tmp_path / "file" / "figures.json"
    assert main(["simulate", "--batch", "1", "--precision", "1,1,1", "--json", str(target)]) == 3
    assert f"cannot write {target}" in capsys.readouterr().err
