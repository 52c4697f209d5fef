"""Whole steps of whole networks on the RTL, byte by byte: the slow set, `make test-slow`.

Pictures of 32 pixels, with the default chunks, with small ones (two in flight in every stage,
several exchanges with the host) and with batches that end with a short one.
"""

from __future__ import annotations

import json
import re
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
"""Of three blocks, the second of which goes without its convolutions."""
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
def test_other_precisions(precision: str, tmp_path: Path) -> None:
    check(P, tmp_path, "resnet8", 16, None, precision)


@pytest.mark.parametrize(
    ("batch", "chunk", "precision"),
    [(16, None, "4,4,6"), (16, None, "8,8,8"), (16, None, "3,3,6"), (13, 4, "4,4,6")],
    ids=str,
)
def test_the_zc706(batch: int, chunk: int | None, precision: str, tmp_path: Path) -> None:
    check(ZC706, tmp_path, "resnet8", batch, chunk, precision)


def test_the_zc706_with_a_mix() -> None:
    """Blocks of different bits, and one that is skipped, in the program that is the same for
    all."""
    memory = MemoryModel.ideal()
    options = integer_options(None, 32)
    images = training_images("random", 16, 0)
    setting = StepSetting("resnet8", images, ScriptedSelector([MIXED]), 0, options)
    with opened_vector_machine(RTL, ZC706, memory, lambda _: None) as opened:
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
    "results__lanes__narrower_1": "result_1",
    "stage__lines__path__lanes__lanes__error_3": "result",
}
"""A lane of the result path, of the way forward, and one of the line path, of the way back; the
register that it ends with."""


@pytest.mark.parametrize("lane", LANES)
def test_a_mutated_lane_fails(
    lane: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The lowest bit of its result is inverted in the Verilog; the command ends with code 6."""
    design = convolution.convolution_design(P)
    module = f"{design.name}__unit__{lane}"
    wrong = Design(design.name, mutated(design.verilog, module, LANES[lane]))
    monkeypatch.setattr(convolution, "convolution_design", lambda parameters: wrong)
    assert simulate(P, tmp_path, "--data", "digits", "--batch", "2", "--precision", "3,2,4") == 6
    said = capsys.readouterr().err
    assert "golden's" in said


def mutated(verilog: str, module: str, register: str) -> str:
    """With the lowest bit of ``register`` in ``module`` inverted."""
    first = verilog.index(f"\nmodule {module}(") + 1
    end = verilog.index("\nendmodule", first)
    assignment = rf"\b{register} <= (.*);"
    changed, count = re.subn(assignment, rf"{register} <= (\1) ^ 1'h1;", verilog[first:end])
    assert count == 1, f"{module} has {count} assignments of {register}"
    return verilog[:first] + changed + verilog[end:]
