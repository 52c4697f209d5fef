"""`fractrain cost` as a user sees it."""

import json
import re
from pathlib import Path

import pytest

from fractrain.host.cli.main import main
from fractrain.host.modelling.tables.case import parse_blocks
from fractrain.host.reports.units import SECONDS
from fractrain.hw.contract.precision import Precision

SMALL = ["cost", "--config", "zc706", "--networks", "resnet8", "--batch", "1", "--size", "8"]


@pytest.fixture(autouse=True)
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRACTRAIN_BUILD", str(tmp_path / "build"))


def test_a_table_that_can_be_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "table.md"
    arguments = [*SMALL, "--precisions", "2,2,2", "1,1,2+0,0,0", "--check", "--out", str(file)]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "all figures modelled, convolutions only" in lines
    row = re.split(r"\s{2,}", lines[2])
    assert row[:4] == ["resnet8", "2,2,2", "port", "1"]
    modelled, whole = int(row[4].replace(",", "")), int(row[9].replace(",", ""))
    assert row[10] == f"{100 * (modelled / whole - 1):+.2f} %"
    assert row[7] == SECONDS.text(modelled / 200e6)
    # the second with a skipped block, takes less
    assert int(re.split(r"\s{2,}", lines[3])[4].replace(",", "")) < modelled
    text = file.read_text()
    assert f"    fractrain {' '.join(SMALL[:3])}" in text
    (command,) = re.findall(r"    fractrain (.*)", text)
    again = command.replace(str(file), str(tmp_path / "again.md")).split()
    assert main(again) == 0
    assert (tmp_path / "again.md").read_text().splitlines()[6:] == text.splitlines()[6:]


def seconds(text: str) -> float:
    value, unit = text.split()
    return float(value) * {"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]


def test_blocks_in_turn() -> None:
    three, eight = Precision(3, 3, 6), Precision(8, 8, 8)
    assert parse_blocks("3,3,6+8,8,8", 3) == [three, eight, three]


OF_ELEMENTS = {
    "hardware": ("narrow", 11, "apply", "means", []),
    "float": ("batch norm", 7, "batch norm, backward", "inner products", ["--mode", "float"]),
}
"""A kind of work on each result of a convolution, its operations, a row that has as many, a kind
that gates add; and options."""


@pytest.mark.parametrize("mode", OF_ELEMENTS)
def test_the_host_beside_the_array(
    mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is printed is what is counted, and adds up; gates are more work."""
    name, operations, group, of_gates, chosen = OF_ELEMENTS[mode]
    file, table = tmp_path / "host.json", tmp_path / "host.md"
    options = ["--host", "--precisions", "8,8,8", "3,4,6", *chosen]
    assert main([*SMALL, *options, "--json", str(file), "--out", str(table)]) == 0
    shown = capsys.readouterr().out
    document = json.loads(file.read_text())
    eight, less = document["steps"]
    assert eight["network"] == "resnet8" and less["blocks"] == ["3/4/6"] * 3
    assert eight["mode"] == mode and ("float mode" in shown.split("\n")[0]) is (mode == "float")
    kinds = eight["kinds"]
    # by hand: outputs of its convolutions on one image of 8 x 8 pixels
    assert kinds[name]["elements"] == 3 * 1024 + 3 * 512 + 3 * 256
    assert kinds[name]["operations"] == operations * kinds[name]["elements"]
    for each in ("seconds_at_best", "seconds_as_written"):
        assert eight[each] == pytest.approx(sum(kind[each] for kind in kinds.values()))
    assert kinds["to planes"]["elements"] > less["kinds"]["to planes"]["elements"]
    assert eight["array_seconds"] > less["array_seconds"]
    rows = [re.split(r"\s{2,}", line) for line in shown.splitlines()]
    (row, _) = (row for row in rows if row[0] == group)
    assert row[1] == "5.38 k" and row[4].endswith(" µs")
    last = next(number for number, row in enumerate(rows) if row[0] == "all")
    left = [seconds(row[5]) for row in rows[3:last]]
    assert left == sorted(left, reverse=True) and left[-1] == 0
    times = eight["seconds_at_best"] / eight["array_seconds"]
    assert f"the host takes {times:,.0f} times as long at best" in shown
    text = table.read_text()
    assert f"| {group} |" in text and f"| {name} | element |" in text
    assert ("--mode float" in text) is (mode == "float"), "the command that makes it again"
    assert main([*SMALL, *options[:3], *chosen, "--gates", "--json", str(file)]) == 0
    (gated,) = json.loads(file.read_text())["steps"]
    looked_at = {"hardware": 1024 + 1024 + 512, "float": 1024 + 512 + 256}[mode]
    assert gated["kinds"][of_gates]["elements"] == looked_at
    assert of_gates not in kinds


def test_the_array_does_the_same_in_both_modes(capsys: pytest.CaptureFixture[str]) -> None:
    tables = []
    for mode in ("hardware", "float"):
        assert main([*SMALL, "--precisions", "3,4,6+0,0,0", "--mode", mode]) == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--precisions", "4,4"], "--precisions: got '4,4'"),
        (["--networks", "vgg"], "model: got 'vgg'"),
        (["--batch", "0"], "--batch: got '0'"),
        (["--size", "0"], "--size: got '0'"),
        (["--config", "no-such"], "cannot read no-such: No such file"),
        (["--gates"], "--gates: got True, allowed: with --host only"),
        (["--json", "x.json"], "--json: got 'x.json', allowed: with --host only"),
        (["--host", "--check"], "--check: got True, allowed: without --host only"),
        (["--host", "--batch", "0"], "--batch: got '0'"),
        (["--mode", "reference"], "--mode: got 'reference', allowed: hardware, float"),
        (["--precisions", "9,8,8"], "activation bits of 9/8/8: got 9, allowed: "),
    ],
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, *arguments]) in (2, 3)
    assert message in capsys.readouterr().err
