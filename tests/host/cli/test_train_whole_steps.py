"""`fractrain train` on machines with a vector unit: whole steps by default, golden's weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.backends import cosim
from fractrain.host.cli.main import main
from fractrain.host.machine_step import CompiledMachine
from fractrain.host.runs import setup
from tests.host.compiler.whole_step.small_network import SmallNetwork

RUN = (
    *("--steps", "2", "--batch", "3", "--chunk", "1", "--test-images", "2"),
    *("--method", "static", "--precision", "3,2,4"),
)
DRIVEN = ("--backend", "cosim"), ("--backend", "board", "--device", "simulated")


@pytest.fixture(autouse=True)
def small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two stages, whatever the model is called."""

    def build(model: str, *, channels: int, classes: int, **_: Any) -> SmallNetwork:
        return SmallNetwork(8, [(8, 2)], channels=channels, classes=classes)

    monkeypatch.setattr(setup, "build_network", build)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gets the number of each whole step that is begun."""
    found: list[int] = []
    forward = CompiledMachine.forward

    def noted(self: CompiledMachine, order: Any) -> Any:
        found.append(order.step)
        return forward(self, order)

    monkeypatch.setattr(CompiledMachine, "forward", noted)
    return found


def train(out: Path, *options: str) -> dict[str, Any]:
    """What the run says in the end."""
    assert main(["train", *RUN, *options, "--out", str(out)]) == 0
    summary: dict[str, Any] = json.loads((out / "latest" / "summary.json").read_text())
    return summary


@pytest.mark.parametrize("backend", DRIVEN, ids=["cosim", "board"])
def test_whole_steps_are_the_default(
    backend: tuple[str, ...], begun: list[int], tmp_path: Path
) -> None:
    wanted = train(tmp_path / "golden", "--backend", "golden")
    assert not begun
    found = train(tmp_path / "rtl", *backend)
    assert begun == [0, 1] and found["config"] == "tiny-vector"
    for name in ("weights_sha256", "test_accuracy"):
        assert found[name] == wanted[name]
    measured = found["measured"]
    assert measured["of"] == "RTL cycles" and measured["steps"] == 2
    steps = (tmp_path / "rtl" / "latest" / "measured.jsonl").read_text().splitlines()
    second = json.loads(steps[1])
    assert second["programs"] == 1, "a step is a program, but for the first, which is measured"
    assert second["passes"]["gradient"]["busy_cycles"] > 0


def test_a_step_without_room_is_said_to_go_layer_by_layer(
    begun: list[int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cosim, "first_of_steps", lambda size: size - 4096)
    wanted = train(tmp_path / "golden", "--backend", "golden")
    capsys.readouterr()
    found = train(tmp_path / "rtl", "--backend", "cosim")
    assert found["weights_sha256"] == wanted["weights_sha256"] and not begun
    said = capsys.readouterr()
    assert "steps go layer by layer, with the same integers: memory of a whole step" in (
        said.out + said.err
    )
