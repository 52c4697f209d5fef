"""What `make train` runs, to its end."""

import json
from pathlib import Path

import pytest

from fractrain.host.cli.main import main


def test_fractrain_on_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """30 epochs: as accurate as FW8/BW8 is, for less than half of its effective MACs, with every
    target tried."""
    assert main(["train", "--recipe", "short", "--out", str(tmp_path)]) == 0
    folder = tmp_path / "latest"
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["dataset"], summary["method"], summary["backend"]) == (
        "digits",
        "fractrain",
        "golden",
    )
    assert summary["test_accuracy"] >= 97
    assert [stage["target_cp"] for stage in summary["stages"]] == [2.08, 2.4, 2.8, 3.3]
    assert 0.5 < summary["saving"] < 0.7
    modelled = summary["modelled"]
    assert 0.4 < 1 - modelled["seconds"] / modelled["seconds_fw8bw8"] < summary["saving"]
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert len({tuple(map(tuple, line["bits"])) for line in log}) > 1
    output = capsys.readouterr().out
    assert "4 of 4" in output
    assert "ZC706 latency, modelled" in output
    assert str(folder.resolve() / "report.html") in output
