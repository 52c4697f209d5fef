"""The ZedBoard's machine on a simulated ZedBoard: brought up, and trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fractrain.host.bringup.stages import STAGES
from fractrain.host.cli.main import main

ON_A_ZEDBOARD = ("--device", "simulated", "--config", "z7020")


def test_every_stage_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["board", "bringup", *ON_A_ZEDBOARD]) == 0
    printed = capsys.readouterr().out
    assert "z7020, 100 MHz" in printed and "set to 100 MHz (IO" in printed
    assert f"all {len(STAGES)} stages passed" in printed


def test_it_trains_the_weights_of_golden(tmp_path: Path) -> None:
    weights = set()
    for name, options in (
        ("golden", ("--backend", "golden", "--config", "z7020")),
        ("board", ("--backend", "board", *ON_A_ZEDBOARD)),
    ):
        arguments = ["--steps", "2", "--batch", "2", "--test-images", "2", *options]
        assert main(["train", *arguments, "--out", str(tmp_path), "--name", name]) == 0
        summary = json.loads((tmp_path / name / "summary.json").read_text())
        assert summary["config"] == "z7020"
        weights.add(summary["weights_sha256"])
    assert len(weights) == 1
