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
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cosim import convolution
from fractrain.sim.cosim.compile import Design
from tests.hw.machines import with_vector
from tests.sim.cosim.vector_engine import P

pytestmark = pytest.mark.slow

ZC706 = with_vector("zc706", buffers__plane_words=8192, buffers__gradient_words=1536)
"""What 12-bit errors of a default chunk take, and a block of the last stage."""


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


@pytest.mark.parametrize(("batch", "chunk"), [(16, None), (13, 4)], ids=str)
def test_the_zc706(batch: int, chunk: int | None, tmp_path: Path) -> None:
    check(ZC706, tmp_path, "resnet8", batch, chunk, "4,4,6")


def check(
    p: Parameters, folder: Path, model: str, batch: int, chunk: int | None, precision: str
) -> None:
    """The command compares every number; here only that it did so on the RTL, and how often it met
    the host."""
    options = ["--model", model, "--batch", str(batch), "--precision", precision]
    if chunk is not None:
        options += ["--chunk", str(chunk)]
    assert simulate(p, folder, *options) == 0
    figures = json.loads((folder / "out" / "figures.json").read_text())
    assert figures["source"] == "measured in RTL" and figures["residency"]["in_flight"] == 2
    images = 4 * (chunk or 8)  # chunks have the same number of rows in every stage
    assert len(figures["host_seconds"]["during"]) == -(-batch // images)


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
