"""The generated hardware trains the same network as the model, bit for bit."""

import json
from math import gcd
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.cli.main import main
from tests.host.training.pinned import TWO_STEPS


def test_rtl_trains_the_weights_of_all_backends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*TWO_STEPS.options, "--backend", "cosim", "--config", "tiny", "--log-programs"]
    assert main(["train", *options, "--out", str(tmp_path)]) == 0
    folder = tmp_path / "latest"
    TWO_STEPS.check(folder)
    summary = json.loads((folder / "summary.json").read_text())
    counters = summary["counters"]
    assert counters["cycles"] > counters["busy_cycles"] > 0
    assert counters["bytes_in"] > 0 and counters["bytes_out"] > 0
    assert "RTL cycles" in capsys.readouterr().out
    check_measured(folder, summary)


def check_measured(folder: Path, summary: dict[str, Any]) -> None:
    """Steps add up to the summary, programs to steps, and the cycles are the engine's own."""
    measured = summary["measured"]
    steps = read_lines(folder / "measured.jsonl")
    programs = read_lines(folder / "programs.jsonl")
    assert (measured["of"], measured["config"], measured["steps"]) == ("RTL cycles", "tiny", 2)
    trained = [each for each in programs if each["phase"] == "training"]
    for name in ("cycles", "busy_cycles", "bytes_in", "bytes_out", "stall_memory"):
        assert measured[name] == sum(step[name] for step in steps)
        assert measured[name] == sum(each[name] for each in trained)
        assert summary["counters"][name] == sum(each[name] for each in programs)
        assert measured[name] == sum(each[name] for each in measured["passes"].values())
    assert measured["seconds"] == measured["cycles"] / 200e6
    for each in trained:
        # a product of one bit by one takes no less than a cycle for all units of the array
        products = [a * w for a, w in (found["bits"] for found in each["convolutions"])]
        assert each["busy_cycles"] % gcd(*products) == 0
        assert sum(products) <= each["busy_cycles"] < each["cycles"]
        assert each["bytes_in"] > 32 * each["commands"]
    passes = {found["pass"] for each in trained for found in each["convolutions"]}
    assert passes == {"forward", "error", "gradient"}


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
