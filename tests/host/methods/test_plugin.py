"""A method is one file: registered, it is known to command line, recipes, sweeps and records."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fractrain import METHODS
from fractrain.host.cli.main import main
from fractrain.host.cli.train import parse_options
from fractrain.host.methods.method import MethodKind
from fractrain.host.methods.recipe import read_recipe
from fractrain.host.methods.registry import method_options
from fractrain.host.plugins.option import Checked, option
from fractrain.host.runs import running
from fractrain.host.sweeps.resolving import Resolver, vocabulary
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.values import Whole
from tests.host.methods import alternating

TRAIN = ("train", "--method", "alternating", "--batch", "4", "--test-images", "2")


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(running, "_report", lambda folder: None)
    METHODS.register(alternating.METHOD)
    yield
    METHODS.unregister("alternating")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_command_line_trains_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--steps", "5", "--odd-precision", "6,4,8", "--out", str(tmp_path)]
    assert main([*TRAIN, *options]) == 0
    (run,) = (path for path in tmp_path.iterdir() if path.name != "latest")
    assert run.name == "digits-resnet8-alternating-golden-seed0"
    bits = [each["bits"] for each in lines(run / "log.jsonl")]
    assert bits == [[[4, 4, 6]] * 3, [[6, 4, 8]] * 3] * 2 + [[[4, 4, 6]] * 3]
    config = json.loads((run / "config.json").read_text())
    assert config["method_options"] == {"even_precision": [4, 4, 6], "odd_precision": [6, 4, 8]}
    summary = json.loads((run / "summary.json").read_text())
    assert summary["stages"] == [{"bits": ["4/4/6", "6/4/8"], "first_step": 0, "first_epoch": 0}]
    assert "bits ['4/4/6', '6/4/8'] from step 0" in capsys.readouterr().out


def test_a_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--steps", "4", "--checkpoint-every", "1", "--out", str(tmp_path)]
    assert main([*TRAIN, *options, "--name", "whole"]) == 0
    before = alternating.Alternating.before_step

    def failing(self: alternating.Alternating, step: int) -> None:
        if step == 3:
            raise KeyboardInterrupt
        before(self, step)

    with monkeypatch.context() as patched:
        patched.setattr(alternating.Alternating, "before_step", failing)
        assert main([*TRAIN, *options, "--name", "parts"]) == 130
    assert main(["train", "--resume", str(tmp_path / "parts")]) == 0
    logs = [(tmp_path / name / "log.jsonl").read_bytes() for name in ("whole", "parts")]
    assert logs[0] == logs[1]


def test_help_recipe_and_sweep_know_its_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "alternating: two precisions, step by step" in shown
    assert "alternating: bits in even steps (default: 4,4,6)" in shown
    (tmp_path / "r.yaml").write_text("odd_precision: [2, 2, 4]\n")
    assert read_recipe(str(tmp_path / "r.yaml")) == {"odd_precision": Precision(2, 2, 4)}
    assert vocabulary().lists["odd_precision"] == [8, 8, 8]
    resolved = Resolver(parse_options)({"method": "alternating", "odd_precision": [3, 3, 6]})
    assert resolved.settings["odd_precision"] == [3, 3, 6]


def test_what_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TRAIN, "--beta", "0.1"]) == 2
    assert (
        "--beta: got 0.1, allowed: with --method dfq or fractrain only" in capsys.readouterr().err
    )
    assert main(["train", "--method", "static", "--odd-precision", "4,4,6"]) == 2
    assert "with --method alternating only" in capsys.readouterr().err
    with pytest.raises(ParameterError, match="got 'alternating', allowed: a name that is not"):
        METHODS.register(alternating.METHOD)


@dataclass(frozen=True)
class OtherOptions(Checked):
    """With a name that DFQ and FracTrain have for something else."""

    beta: int = option(Whole(1, 3), 2, "whatever")


def test_an_option_means_the_same_everywhere() -> None:
    METHODS.register(MethodKind("other", "", OtherOptions, alternating.build))
    try:
        with pytest.raises(ParameterError, match="option of method .*: got 'beta'"):
            method_options()
    finally:
        METHODS.unregister("other")
