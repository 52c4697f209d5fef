"""`fractrain simulate --whole-step`: a step as one program, compared byte by byte, and what it
refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.backends.functional import FunctionalVectorMachine
from fractrain.host.cli.main import main
from fractrain.host.compiler.whole_step import compile_whole_step
from fractrain.host.simulation.whole_step import (
    Side,
    StepSetting,
    integer_options,
    simulate_whole_step,
)
from fractrain.hw.contract.errors import MismatchError
from fractrain.hw.contract.precision import Precision
from tests.host.compiler.whole_step.running import small
from tests.host.machine_step.trainers import SIDE, dataset

BYTES, WEIGHTS = "stash first, plane 0", "first.weight, number 0 of"


def written(path: Path, **vector: int) -> Path:
    """A machine with a vector unit, as a file."""
    document = small(precision__slots=32).to_mapping()
    document["vector"] |= vector
    path.write_text(yaml.safe_dump(document))
    return path


def command(path: Path, tmp_path: Path, *more: str) -> list[str]:
    given = ["--config", str(path), "--out", str(tmp_path / "out"), "--data", "digits"]
    return ["simulate", "--whole-step", "--batch", "2", *given, *more]


def test_a_whole_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "machine.yaml")
    more = ["--on", "functional", "--chunk", "1", "--precision", "3,2,4"]
    assert main(command(path, tmp_path, *more)) == 0
    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert figures["source"] == "cycle model" and figures["precision"] == "3,2,4"
    assert f"{figures['commands']:,} commands leave what the golden model leaves" in printed
    assert figures["stash_bytes"] > 10_000 and figures["numbers"] > 2 * 75_000
    passes = figures["passes"]
    for name in ("forward", "error", "gradient"):
        assert 0 < passes[name]["BUSY"] < figures["cycles"]
    assert passes["forward"]["VECTOR_BUSY"] and passes["other"]["STASH_WRITTEN"]
    assert len(figures["host_seconds"]["during"]) == 1, "a chunk of 2 x 2 pixels has both images"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "--on: got 'rtl', allowed: functional"),
        (("--on", "functional", "--blocks", "0"), "--blocks"),
        (("--on", "functional", "--mode", "float"), "--mode"),
        (("--on", "functional", "--results", "raw"), "--results"),
    ],
)
def test_what_is_refused(
    options: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(written(tmp_path / "machine.yaml"), tmp_path, *options)) == 2
    assert says in capsys.readouterr().err


def test_what_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "machine.yaml", staging_words=64)
    assert main(command(path, tmp_path, "--on", "functional")) == 2
    said = capsys.readouterr().err
    assert "staging memory of a whole step" in said and "go layer by layer" in said
    assert main(["simulate", "--whole-step", "--on", "functional", "--config", "tiny"]) == 2
    assert "no vector unit" in capsys.readouterr().err
    assert main(["simulate", "--config", "tiny", "--chunk", "2"]) == 2
    assert "with --whole-step only" in capsys.readouterr().err


@pytest.mark.parametrize("what", [BYTES, WEIGHTS])
def test_a_difference_is_found(golden: Accelerator, what: str) -> None:
    """One bit of memory when the program has ended."""
    p = small(precision__slots=32)
    images = dataset().train_images[:1]
    options = integer_options(1, SIDE)
    setting = StepSetting("resnet8", images, Precision(2, 2, 3), 0, options)
    step = compile_whole_step(p, Side(setting, golden).graph)
    stash, weights = step.memory.stash["first"], step.memory.weights["first"]
    place = stash.address if what is BYTES else weights.master

    class Flipping(FunctionalVectorMachine):
        def wait(self) -> bool:
            token = super().wait()
            if not token:
                self.memory(place + 1)[place] ^= 1
            return token

    with pytest.raises(MismatchError, match=what):
        simulate_whole_step(setting, Flipping(p), lambda text: None)


@pytest.fixture(scope="module")
def golden() -> Iterator[Accelerator]:
    with open_accelerator("golden") as accelerator:
        yield accelerator
