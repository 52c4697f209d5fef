"""A run of 30 epochs, to its end."""

import json
from pathlib import Path

import pytest

from host.cli.main import main


def test_progressive_quantization_reaches_97_percent_and_visits_every_stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--method", "pfq", "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "latest" / "summary.json").read_text())
    assert (summary["dataset"], summary["method"], summary["backend"]) == (
        "digits",
        "pfq",
        "golden",
    )
    assert summary["test_accuracy"] >= 97
    bits = [(stage["activation"], stage["error"]) for stage in summary["stages"]]
    assert bits == [(3, 6), (4, 6), (6, 8), (8, 8)]
    # less than FW8/BW8 throughout, more than the cheapest stage throughout
    assert 0 < summary["saving"] < 1 - 45 / 192
    assert "4 of 4" in capsys.readouterr().out
