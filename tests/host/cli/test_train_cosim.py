"""The generated hardware trains the same network as the model, bit for bit."""

import json
from pathlib import Path

import pytest

from host.cli.main import main


def test_rtl_and_model_train_the_same_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = {}
    for backend in ("golden", "cosim"):
        options = [
            "--method",
            "fractrain",
            "--backend",
            backend,
            "--config",
            "tiny",
            "--steps",
            "3",
            "--batch",
            "1",
        ]
        options += ["--test-images", "1", "--out", str(tmp_path), "--name", backend]
        assert main(["train", *options]) == 0
        results[backend] = json.loads((tmp_path / backend / "summary.json").read_text())
    assert results["cosim"]["weights_sha256"] == results["golden"]["weights_sha256"]
    assert results["cosim"]["test_accuracy"] == results["golden"]["test_accuracy"]
    counters = results["cosim"]["counters"]
    assert counters["cycles"] > counters["busy_cycles"] > 0
    assert counters["bytes_in"] > 0 and counters["bytes_out"] > 0
    assert "RTL cycles" in capsys.readouterr().out
