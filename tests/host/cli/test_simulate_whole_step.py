"""`fractrain simulate --whole-step`: a step as one program, compared byte by byte, and what it
refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.backends.driven_steps import DrivenVectorMachine
from fractrain.host.backends.functional import FunctionalVectorMachine
from fractrain.host.cli.main import main
from fractrain.host.compiler.whole_step import WholeStep, compile_whole_step
from fractrain.host.machine_step.compiled_machine import CompiledMachine
from fractrain.host.machine_step.machine import PooledSums, StepOrder
from fractrain.host.networks.selection import FixedSelector
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
from tests.sim.cosim.vector_engine import P

BYTES, WEIGHTS = "stash first, plane 0", "first.weight, number 0 of"


def written(path: Path, **vector: int) -> Path:
    """A machine with a vector unit, as a file."""
    document = small(precision__slots=32).to_mapping()
    document["vector"] |= vector
    path.write_text(yaml.safe_dump(document))
    return path


def command(path: Path | None, tmp_path: Path, *more: str) -> list[str]:
    """On the machine of the file, or the default one."""
    config = [] if path is None else ["--config", str(path)]
    given = [*config, "--out", str(tmp_path / "out"), "--data", "digits"]
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


def check_model(figures: dict[str, Any]) -> None:
    """The cycle model beside the counters of the RTL: what is done is the same, cycles are within
    a hundredth of all."""
    cycles = figures["cycles"]
    found, model = figures["passes"], figures["model_passes"]
    exact = "BUSY", "VECTOR_BUSY", "BYTES_READ", "BYTES_WRITTEN", "STASH_READ", "STASH_WRITTEN"
    waits = "CHANNEL", "STALL_BANK", "STALL_READ", "STALL_WRITE", "STALL_TOKEN"
    for name in found:
        for counter in exact:
            assert model[name][counter] == found[name][counter], f"{name} {counter}"
        for counter in (f"VECTOR_{each}" for each in waits):
            assert abs(model[name][counter] - found[name][counter]) < 0.01 * cycles, counter
    assert abs(figures["model_cycles"] / cycles - 1) < 0.01


def test_on_the_rtl(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The default; its counters, and the cycle model's beside them."""
    more = ["--chunk", "1", "--precision", "3,2,4", "--memory", "ddr"]
    assert main(command(None, tmp_path, *more)) == 0
    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert figures["source"] == "measured in RTL" and figures["on"] == "rtl"
    assert f"Whole step (measured in RTL): {figures['cycles']:,} cycles" in printed
    assert "vector unit (measured in RTL)" in printed and "cycles/s" in printed
    check_model(figures)
    passes = figures["passes"].values()
    busy = sum(each["BUSY"] for each in passes) / figures["cycles"]
    assert figures["busy"]["array"] == busy and 0 < busy < figures["busy"]["vector_unit"] < 1
    assert sum(each["VECTOR_STALL_READ"] for each in passes) > 0


@pytest.mark.parametrize("kind", ["stash", "weights"])
def test_a_wrong_bit_of_the_rtl_fails_the_command(
    kind: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    golden: Accelerator,
) -> None:
    """As a lane would leave it: in the last plane of the stash, or in a weight."""
    steps: list[WholeStep] = []
    forward = CompiledMachine.forward

    def noted(self: CompiledMachine, order: StepOrder) -> Iterator[PooledSums]:
        steps.append(self.compiled(order.graph))
        return forward(self, order)

    wait = DrivenVectorMachine.wait

    def flipping(self: DrivenVectorMachine) -> bool:
        token = wait(self)
        if not token:
            (step,) = steps
            stash, weights = step.memory.stash["stage2.block0.second"], step.memory.weights
            last = stash.address + stash.planes * stash.plane_stride * P.word_bytes - 1
            place = last if kind == "stash" else weights["stage1.block0.first"].master
            self.memory(step.memory_bytes)[place - step.base_address] ^= 1
        return token

    monkeypatch.setattr(CompiledMachine, "forward", noted)
    monkeypatch.setattr(DrivenVectorMachine, "wait", flipping)
    assert main(command(None, tmp_path, "--precision", "3,2,4")) == 6
    said = capsys.readouterr().err
    assert ("stash stage2.block0.second" if kind == "stash" else "stage1.block0.first") in said
    assert not (tmp_path / "out" / "figures.json").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--on", "emulator"), "--on: got 'emulator', allowed: rtl, functional"),
        (("--blocks", "0"), "--blocks"),
        (("--mode", "float"), "--mode"),
        (("--results", "raw"), "--results"),
        (("--trace", "a.fst", "--on", "functional"), "--trace: got 'a.fst', allowed: with"),
        (("--trace-cycles", "1:2", "--on", "functional"), "with --on rtl only"),
        (("--trace-cycles", "1:2"), "with --trace FILE only"),
    ],
)
def test_what_is_refused(
    options: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(written(tmp_path / "machine.yaml"), tmp_path, *options)) == 2
    assert says in capsys.readouterr().err


def test_what_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "machine.yaml", staging_words=64)
    assert main(command(path, tmp_path)) == 2
    said = capsys.readouterr().err
    assert "staging memory of a whole step" in said and "go layer by layer" in said
    assert main(["simulate", "--whole-step", "--config", "tiny"]) == 2
    assert "no vector unit" in capsys.readouterr().err
    assert main(["simulate", "--config", "tiny", "--chunk", "2"]) == 2
    assert "with --whole-step only" in capsys.readouterr().err


def test_a_step_that_goes_layer_by_layer_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At so few bits a tensor is zero: what has no range is no program of the machine."""
    path = written(tmp_path / "machine.yaml")
    assert main(command(path, tmp_path, "--on", "functional", "--precision", "1,1,2")) == 2
    assert "range of a tensor of the step: got 'none'" in capsys.readouterr().err


@pytest.mark.parametrize("what", [BYTES, WEIGHTS])
def test_a_difference_is_found(golden: Accelerator, what: str) -> None:
    """One bit of memory when the program has ended."""
    p = small(precision__slots=32)
    images = dataset().train_images[:1]
    options = integer_options(1, SIDE)
    setting = StepSetting("resnet8", images, FixedSelector(Precision(2, 2, 3)), 0, options)
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
