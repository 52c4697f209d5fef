"""`fractrain train --backend board`: the driver trains the same network as the model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fractrain.host.cli.main import main
from tests.host.training.pinned import TWO_STEPS


def test_the_board_trains_the_weights_of_all_backends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Layer by layer, on a machine without a vector unit."""
    machine = ["--backend", "board", "--device", "simulated", "--config", "tiny"]
    options = [*TWO_STEPS.options, *machine]
    assert main(["train", *options, "--out", str(tmp_path)]) == 0
    TWO_STEPS.check(tmp_path / "latest")
    board = json.loads((tmp_path / "latest/summary.json").read_text())
    assert board["backend"] == "board" and board["config"] == "tiny"
    counters = board["counters"]
    assert counters["cycles"] > counters["busy_cycles"] > 0 < counters["bytes_out"]
    assert "RTL cycles" in capsys.readouterr().out
    recorded = json.loads((tmp_path / "latest/config.json").read_text())
    assert recorded["device"] == "simulated" and recorded["options"]["config"] == "tiny"


def test_without_a_board_one_line_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRACTRAIN_BITSTREAM", str(tmp_path / "none"))
    assert main(["train", "--backend", "board", "--out", str(tmp_path)]) == 3
    error = capsys.readouterr().err
    assert "no bitstream: there is no" in error and "Traceback" not in error
    assert list(tmp_path.iterdir()) == []
    assert main(["train", "--backend", "board", "--device", "cpu", "--out", str(tmp_path)]) == 2
    assert "device: got 'cpu', allowed: local or simulated" in capsys.readouterr().err
