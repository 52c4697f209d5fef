"""`fractrain cost` as a user sees it."""

import re
from pathlib import Path

import pytest

from host.cli.cost import parse_blocks
from host.cli.main import main
from hw.contract.precision import Precision

SMALL = ["cost", "--config", "zc706", "--networks", "resnet8", "--batch", "1", "--size", "8"]


@pytest.fixture(autouse=True)
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRACTRAIN_BUILD", str(tmp_path / "build"))


def test_a_table_that_can_be_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "table.md"
    arguments = [*SMALL, "--precisions", "2,2,2", "1,1,2+0,0,0", "--check", "--out", str(file)]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "all figures modelled, convolutions only" in lines
    row = re.split(r"\s{2,}", lines[2])
    assert row[:4] == ["resnet8", "2,2,2", "port", "1"]
    modelled, whole = int(row[4].replace(",", "")), int(row[9].replace(",", ""))
    assert row[10] == f"{100 * (modelled / whole - 1):+.2f} %"
    assert row[7] == f"{modelled / 200e3:,.2f} ms"
    # the second with a skipped block, takes less
    assert int(re.split(r"\s{2,}", lines[3])[4].replace(",", "")) < modelled
    text = file.read_text()
    assert f"    fractrain {' '.join(SMALL[:3])}" in text
    (command,) = re.findall(r"    fractrain (.*)", text)
    again = command.replace(str(file), str(tmp_path / "again.md")).split()
    assert main(again) == 0
    assert (tmp_path / "again.md").read_text().splitlines()[6:] == text.splitlines()[6:]


def test_blocks_in_turn() -> None:
    three, eight = Precision(3, 3, 6), Precision(8, 8, 8)
    assert parse_blocks("3,3,6+8,8,8", 3) == [three, eight, three]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--precisions", "4,4"], "precision: got '4,4'"),
        (["--networks", "vgg"], "model: got 'vgg'"),
        (["--batch", "0"], "batch: got 0"),
        (["--size", "0"], "size: got 0"),
        (["--config", "no-such"], "configuration 'no-such'"),
    ],
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, *arguments]) in (2, 3)
    assert message in capsys.readouterr().err
