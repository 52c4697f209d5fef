"""Whole steps of whole networks on the RTL, byte by byte: the slow set, `make test-slow`.

Pictures of 32 pixels, with the default chunks, with small ones (two in flight in every stage,
several exchanges with the host) and with batches that end with a short one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from fractrain.host.cli.main import main
from fractrain.host.simulation.images import training_images
from fractrain.host.simulation.vector_machines import RTL, opened_vector_machine
from fractrain.host.simulation.whole_step import StepSetting, integer_options, simulate_whole_step
from fractrain.host.simulation.whole_step_report import WholeStepReport, model
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.sim.cosim import convolution
from fractrain.sim.cosim.compile import Design
from fractrain.sim.memory_model import MemoryModel
from tests.host.machine_step.trainers import ScriptedSelector
from tests.sim.cosim.vector_engine import ZC706, P

pytestmark = pytest.mark.slow

MIXED = Precision(4, 4, 6), Precision(0, 0, 0), Precision(8, 8, 8)
"""Of three blocks one after the other, the second of which goes without its convolutions."""
MODELLED = 0.01
"""Most by which the cycle model may be off."""


def simulate(p: Parameters, folder: Path, *options: str) -> int:
    config = folder / "machine.yaml"
    config.write_text(yaml.safe_dump(p.to_mapping()))
    given = ["--whole-step", "--config", str(config), "--out", str(folder / "out")]
    return main(["simulate", *given, *options])


@pytest.mark.parametrize(
    ("batch", "chunk"), [(16, None), (16, 2), (16, 4), (16, 8), (13, 4)], ids=str
)
@pytest.mark.parametrize("model", ["resnet8", "resnet20"])
def test_a_small_machine(model: str, batch: int, chunk: int | None, tmp_path: Path) -> None:
    check(P, tmp_path, model, batch, chunk, "4,4,6")


@pytest.mark.parametrize("precision", ["8,8,8", "3,3,6"])
@pytest.mark.parametrize("model", ["resnet8", "resnet20"])
def test_other_precisions(model: str, precision: str, tmp_path: Path) -> None:
    check(P, tmp_path, model, 16, None, precision)


@pytest.mark.parametrize(
    ("batch", "chunk", "precision"),
    [(16, None, "4,4,6"), (16, None, "8,8,8"), (16, None, "3,3,6"), (13, 4, "4,4,6")],
    ids=str,
)
def test_the_zc706(batch: int, chunk: int | None, precision: str, tmp_path: Path) -> None:
    check(ZC706, tmp_path, "resnet8", batch, chunk, precision)


@pytest.mark.parametrize(
    ("p", "network", "blocks"), [(P, "resnet20", 9), (ZC706, "resnet8", 3)], ids=["small", "zc706"]
)
def test_a_mix(p: Parameters, network: str, blocks: int) -> None:
    """Blocks of different bits, and some that are skipped, in the program that is the same for
    all."""
    memory = MemoryModel.ideal()
    images = training_images("random", 16, 0)
    chosen = [MIXED[number % len(MIXED)] for number in range(blocks)]
    setting = StepSetting(network, images, ScriptedSelector([chosen]), 0, integer_options(None, 32))
    with opened_vector_machine(RTL, p, memory, lambda _: None) as opened:
        simulated = simulate_whole_step(setting, opened.machine, lambda _: None)
    report = WholeStepReport(simulated, model(simulated, memory))
    assert report.source == "measured in RTL"
    assert abs(report.prediction.cycles / report.cycles - 1) < MODELLED


def check(
    p: Parameters, folder: Path, model: str, batch: int, chunk: int | None, precision: str
) -> None:
    """The command compares every number; here only that it did so on the RTL, how often it met the
    host, and that the cycle model says the same."""
    options = ["--model", model, "--batch", str(batch), "--precision", precision]
    if chunk is not None:
        options += ["--chunk", str(chunk)]
    assert simulate(p, folder, *options) == 0
    figures = json.loads((folder / "out" / "figures.json").read_text())
    assert figures["source"] == "measured in RTL" and figures["residency"]["in_flight"] == 2
    images = 4 * (chunk or 8)  # chunks have the same number of rows in every stage
    assert len(figures["host_seconds"]["during"]) == -(-batch // images)
    assert abs(figures["model_cycles"] / figures["cycles"] - 1) < MODELLED


LANES = {
    "results": ([("vector_joiner_4", "joiner_1")], "error_0"),
    "lines": ([("vector_lanes_8", "group_0"), ("vector_lanes_8__error_3", "error_3")], "result"),
}
"""A lane of the result path, of the way forward, and one of the line path, of the way back: modules
and instances down to it, and a register at its end."""


@pytest.mark.parametrize("lane", LANES)
def test_a_mutated_lane_fails(
    lane: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its result is inverted in the Verilog; the command ends with code 6."""
    design = convolution.convolution_design(P)
    wrong = Design(design.name, mutated(design.verilog, *LANES[lane]))
    monkeypatch.setattr(convolution, "convolution_design", lambda parameters: wrong)
    assert simulate(P, tmp_path, "--data", "digits", "--batch", "2", "--precision", "3,2,4") == 6
    said = capsys.readouterr().err
    assert "golden's" in said


def mutated(verilog: str, way: Sequence[tuple[str, str]], register: str) -> str:
    """With ``register`` inverted in one instance: what leads there is copied."""
    copies: list[str] = []
    for place, (module, _) in reversed([*enumerate(way)]):
        first = verilog.index(f"\nmodule {module}(")
        end = verilog.index("\nendmodule", first)
        text = verilog[first:end].replace(f"module {module}(", f"module {module}_wrong(", 1)
        if place == len(way) - 1:
            text, count = re.subn(rf"\b{register} <= (.*);", rf"{register} <= ~(\1);", text)
        else:
            text, count = instead(text, *way[place + 1])
        assert count == 1, f"{module} has {count} assignments of {register}, or instances"
        copies.append(f"{text}\nendmodule\n")
    changed, count = instead(verilog, *way[0])
    assert count == 1, f"{count} instances of {way[0]}"
    return changed + "".join(copies)


def instead(verilog: str, module: str, instance: str) -> tuple[str, int]:
    """The wrong copy of ``module`` as ``instance``; how often."""
    return re.subn(rf"\b{module} {instance} \(", f"{module}_wrong {instance} (", verilog)
