"""`fractrain calibrate --run`: logged programs, compiled again, beside the cycle model."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.cli.main import main
from fractrain.host.compiler import Step, compile_program
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Pass, Precision
from fractrain.sim.cycles import predict
from fractrain.sim.memory_model import MemoryModel
from tests.host.training.test_measurements import part

TINY = load_parameters("tiny")
FIRST = Geometry(8, 1, 16, (8, 8), (3, 3), 1, 1)


def expected(memory: MemoryModel) -> int:
    """Cycles of the first convolution on the cycle model."""
    step = Step(Pass.FORWARD, FIRST, 0, "a", "w", "y", (8, 8))
    program = compile_program(TINY, [step])
    address = program.program_address
    slots = {0: Precision(8, 8, 1)}
    return predict(TINY, program.decoded, slots, memory, program_address=address).cycles


def cells(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps and one evaluation on a machine that takes 150 cycles for anything."""
    root = tmp_path_factory.mktemp("runs")
    part(root, steps=2, log_programs=True)
    return root


def test_measured_beside_modelled(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "table.md"
    options = ["--run", "run", "--runs", str(root), "--out", str(file)]
    assert main(["calibrate", *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    cycles = expected(MemoryModel.ideal())
    # two steps on eight images; the evaluation is on ten
    assert cells(lines[2]) == [
        *("forward", "1 -> 16, 3x3/1, 8x8, 8 images", "8x8", "2", "150", f"{cycles:,}"),
        f"{100 * (cycles / 150 - 1):+.2f} %",
        *("6.7 %", cells(lines[2])[8]),
    ]
    totals = {row[0]: row for row in map(cells, lines) if row[1:2] == ["all"]}
    kinds = ("forward", "gradient + error", "gradient")
    assert [totals[name][2] for name in kinds] == ["27", "16", "2"]
    assert totals["all"][2] == "45" and totals["gradient + error"][3] == "300"
    assert "measured (RTL cycles), and as the cycle model has them with ideal memory" in lines[-3]
    assert f"| 8x8 | 2 | 150 | {cycles:,} |" in file.read_text()
    assert main(["calibrate", *options[:4], "--memory", "ddr"]) == 0
    slower = cells(capsys.readouterr().out.splitlines()[2])[5]
    assert slower == f"{expected(MemoryModel.ddr(TINY)):,}" != f"{cycles:,}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "programs.jsonl is missing: train with --log-programs, on cosim or board"),
        ("", "programs.jsonl has no program yet"),
        ({"convolutions": None}, "line 1: no program that could be compiled again"),
        ({"convolutions": [{"pass": "sideways"}]}, "line 1: no program that could be"),
        ({"cycles": None}, "line 1: cycles is missing"),
    ],
)
def test_logs_that_cannot_be_used(
    change: Any, message: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_bytes((root / "run" / "config.json").read_bytes())
    entry = json.loads((root / "run" / "programs.jsonl").read_text().splitlines()[0])
    if change is not None:
        text = change if isinstance(change, str) else json.dumps(entry | change) + "\n"
        (folder / "programs.jsonl").write_text(text)
    assert main(["calibrate", "--run", str(folder)]) == 3
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_a_run_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "--run", "no-such", "--runs", str(tmp_path)]) == 3
    assert "no run no-such" in capsys.readouterr().err
