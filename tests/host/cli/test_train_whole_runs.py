"""Ten steps of FracTrain, all of them on the RTL: the slow set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.cli.main import main
from tests.host.training.pinned import GATES_MOVE, TWO_STEPS, write_cifar10

pytestmark = pytest.mark.slow

DRIVEN = ("--backend", "cosim"), ("--backend", "board", "--device", "simulated")
TEN_STEPS = (
    *("--steps", "10", "--batch", "16", *GATES_MOVE, "--beta", "1", "--targets", "4,6"),
    *("--test-images", "4", "--evaluate-every", "10"),
)


@pytest.mark.parametrize("pixels", [8, 32])
@pytest.mark.parametrize("backend", DRIVEN, ids=["cosim", "board"])
def test_ten_steps(backend: tuple[str, ...], pixels: int, tmp_path: Path) -> None:
    dataset = "digits"
    if pixels == 32:
        dataset = str(tmp_path / "cifar")
        write_cifar10(tmp_path / "cifar")
    found = [
        train(tmp_path / name, "--dataset", dataset, *TEN_STEPS, *options)
        for name, options in (("golden", ("--backend", "golden")), ("rtl", backend))
    ]
    assert found[0]["weights_sha256"] == found[1]["weights_sha256"]
    assert found[0]["test_accuracy"] == found[1]["test_accuracy"]
    steps = (tmp_path / "rtl" / "latest" / "measured.jsonl").read_text().splitlines()
    assert [json.loads(each)["programs"] for each in steps[1:]] == [1] * 9, "whole steps"


@pytest.mark.parametrize("backend", DRIVEN, ids=["cosim", "board"])
def test_the_pinned_weights(backend: tuple[str, ...], tmp_path: Path) -> None:
    train(tmp_path, *TWO_STEPS.options, *backend)
    TWO_STEPS.check(tmp_path / "latest")


def train(out: Path, *options: str) -> dict[str, Any]:
    assert main(["train", *options, "--out", str(out)]) == 0
    summary: dict[str, Any] = json.loads((out / "latest" / "summary.json").read_text())
    return summary
