"""A step's cost from its passes, against whole steps on the cycle model."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from fractrain.host.compiler import compile_program
from fractrain.host.graph.choice import fixed_choices
from fractrain.host.graph.convolution import Convolution
from fractrain.host.graph.geometry import Geometry
from fractrain.host.modelling import StepCost, StepModel
from fractrain.host.modelling.cost_files import digest
from fractrain.host.modelling.energy import joules
from fractrain.host.modelling.pass_costs import SOURCES, PassCosts
from fractrain.host.modelling.predictions import predict_program
from fractrain.host.modelling.step_programs import make_step, training_program
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Pass, Precision
from tests.host.modelling.steps import layers_step, resnet8_step
from tests.hw.machines import machine
from tests.test_architecture import run_on_the_board

PARAMETERS = load_parameters("tiny")
ZC706 = load_parameters("zc706")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("costs")


def cost_of(model: StepModel, *blocks: str) -> StepCost:
    return model.cost(fixed_choices([Precision.parse(each) for each in blocks]))


@pytest.mark.parametrize(
    ("memory", "blocks", "bound"),
    [
        ("port", ["4,4,6", "3,3,6", "8,8,8"], 0.02),
        ("port", ["8,8,8", "0,0,0", "3,3,6"], 0.03),
        ("ddr", ["4,4,6", "3,3,6", "8,8,8"], 0.08),
    ],
)
def test_against_a_whole_step(memory: str, blocks: list[str], bound: float, folder: Path) -> None:
    """On the ZC706 machine; beyond the reference batches, on the straight line."""
    step = resnet8_step((12, 3, 8, 8))
    choices = fixed_choices([Precision.parse(each) for each in blocks])
    cost = StepModel(ZC706, step, memory, folder).cost(choices)
    cycles, busy, moved = predict_program(*training_program(ZC706, step, choices, memory), memory)
    assert cost.cycles == pytest.approx(cycles, rel=bound)
    assert cost.busy_cycles == busy
    # patterns of the window feeder are sent anew between layers that differ
    assert cost.bytes_moved == pytest.approx(moved, rel=0.015)


@pytest.mark.parametrize(
    ("pass_", "precision"),
    [
        (Pass.FORWARD, Precision(4, 3, 1)),
        (Pass.ERROR, Precision(1, 3, 4)),
        (Pass.GRADIENT, Precision(4, 1, 3)),
    ],
)
def test_one_more_pass(pass_: Pass, precision: Precision, folder: Path) -> None:
    """What a program takes more for a second one; with its start, what one alone takes."""
    geometry = Geometry(2, 8, 8, (8, 8), (3, 3), 1, 1)
    convolution = Convolution(pass_, geometry, (4, 3), (4, 3), (False, True))
    found = PassCosts(PARAMETERS, "port", folder).get(convolution)
    steps = [make_step(convolution, 0, "port", (f"{i}a", f"{i}b", f"{i}y")) for i in range(2)]
    table = {0: precision}
    one, two = (
        predict_program(compile_program(PARAMETERS, steps[:count]), table, "port")
        for count in (1, 2)
    )
    assert found.start_cycles + found.cycles == one[0]
    assert [found.cycles, found.busy_cycles, found.bytes_moved] == [
        after - before for before, after in zip(one, two, strict=True)
    ]


def test_time_and_energy_are_those_of_its_cycles(folder: Path) -> None:
    step = layers_step(1, 4)
    cost = cost_of(StepModel(PARAMETERS, step, folder=folder), "4,4,4")
    assert cost.seconds == cost.cycles / 200e6
    assert cost.joules == joules(PARAMETERS, cost.cycles, cost.busy_cycles, cost.bytes_moved)
    slow = dataclasses.replace(PARAMETERS, clock_mhz=100)
    slower = cost_of(StepModel(slow, step, folder=folder), "4,4,4")
    assert slower.cycles == cost.cycles and slower.seconds == 2 * cost.seconds


def test_skipped_layers_cost_nothing(folder: Path) -> None:
    model = StepModel(PARAMETERS, layers_step(2, 4), folder=folder)
    assert cost_of(model, "0,0,0", "0,0,0") == StepCost()
    # wherever it is, and whichever operand has 0 bits
    alone = cost_of(StepModel(PARAMETERS, layers_step(1, 4), folder=folder), "3,3,6")
    for skip in ("0,0,0", "0,3,6", "3,0,6", "3,3,0"):
        assert cost_of(model, "3,3,6", skip) == cost_of(model, skip, "3,3,6") == alone


def test_all_layers_at_one_precision(folder: Path) -> None:
    """Those outside the blocks, too, which have a precision of their own otherwise."""
    model = StepModel(PARAMETERS, resnet8_step((2, 3, 8, 8)), folder=folder)
    eight, two = Precision(8, 8, 8), Precision(2, 2, 2)
    assert model.uniform_cost(eight) == cost_of(model, *["8,8,8"] * 3)
    assert model.uniform_cost(two).cycles < cost_of(model, *["2,2,2"] * 3).cycles


def test_more_bits_cost_more(folder: Path) -> None:
    model = StepModel(PARAMETERS, layers_step(1, 4), folder=folder)
    for path in ("2,4,4 4,4,4 6,4,4", "4,2,4 4,4,4 4,6,4", "4,4,2 4,4,4 4,4,6"):
        costs = [cost_of(model, each) for each in path.split()]
        for less, more in zip(costs, costs[1:], strict=False):
            assert less.cycles < more.cycles and less.busy_cycles < more.busy_cycles
            assert less.bytes_moved < more.bytes_moved and less.joules < more.joules


def test_a_line_through_the_reference_batches(folder: Path) -> None:
    four, eight, twenty = (
        cost_of(StepModel(PARAMETERS, layers_step(1, batch), folder=folder), "4,4,6")
        for batch in (4, 8, 20)
    )
    assert twenty.bytes_moved == eight.bytes_moved + 3 * (eight.bytes_moved - four.bytes_moved)
    # what is the same for every batch: the weights, twice, and commands
    fixed = 2 * four.bytes_moved - eight.bytes_moved
    assert 2 * 8 * 8 * 9 * 4 / 8 <= fixed < 0.5 * four.bytes_moved


def test_the_first_convolution_makes_no_error(folder: Path) -> None:
    less, more = (
        cost_of(StepModel(PARAMETERS, layers_step(1, 4, learned=each), folder=folder), "4,4,4")
        for each in (False, True)
    )
    # three passes of the same work, but for the gradient's tiles
    assert less.busy_cycles < more.busy_cycles < 2 * less.busy_cycles


def test_costs_add_up() -> None:
    total = StepCost(1, 2, 3, 4, 5) + StepCost(10, 20, 30, 40, 50)
    assert total == StepCost(11, 22, 33, 44, 55)
    assert sum([total, total], start=StepCost()) == StepCost(22, 44, 66, 88, 110)


# -- what is kept ------------------------------------------------------------------------------


def count_evaluations(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    asked: list[object] = []
    evaluate = PassCosts._evaluate

    def counting(self: PassCosts, *arguments: object) -> object:
        asked.append(arguments)
        return evaluate(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(PassCosts, "_evaluate", counting)
    return asked


def test_each_pass_is_evaluated_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = count_evaluations(monkeypatch)
    step = layers_step(3)
    model = StepModel(PARAMETERS, step, folder=tmp_path)
    first = cost_of(model, "2,2,2", "2,2,2", "2,2,2")
    assert len(asked) == 3
    # the same bits in the forward pass; error and gradient are new
    cost_of(model, "2,2,2", "2,2,3", "2,2,3")
    assert len(asked) == 5
    # another process finds them in the file
    again = StepModel(PARAMETERS, step, folder=tmp_path)
    assert cost_of(again, "2,2,2", "2,2,2", "2,2,2") == first
    assert len(asked) == 5
    assert [file.suffix for file in tmp_path.iterdir()] == [".json"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"a": 1}', '{"a": [1, 2, 3]}', '{"a": [1, 2, 3, NaN]}', "\xff"]
)
def test_a_damaged_file_is_made_anew(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = layers_step()
    cost = cost_of(StepModel(PARAMETERS, step, folder=tmp_path), "2,2,2")
    (file,) = tmp_path.iterdir()
    good = file.read_bytes()
    file.write_bytes(text.encode("latin-1"))
    asked = count_evaluations(monkeypatch)
    assert cost_of(StepModel(PARAMETERS, step, folder=tmp_path), "2,2,2") == cost
    assert len(asked) == 3 and file.read_bytes() == good


def test_processes_keep_each_others_costs(tmp_path: Path) -> None:
    first, second = (StepModel(PARAMETERS, layers_step(), folder=tmp_path) for _ in range(2))
    cost_of(first, "2,2,2")
    cost_of(second, "3,3,3")
    (file,) = tmp_path.iterdir()
    assert len(json.loads(file.read_text())) == 6


def test_no_place_to_keep_them(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cost = cost_of(StepModel(PARAMETERS, layers_step(), folder=tmp_path / "file"), "2,2,2")
    assert cost.cycles > 0


def test_machines_and_memories_are_kept_apart(tmp_path: Path) -> None:
    for parameters, memory in (
        (PARAMETERS, "port"),
        (PARAMETERS, "ddr"),
        (machine(memory__ports=1), "port"),
    ):
        cost_of(StepModel(parameters, layers_step(), memory, tmp_path), "2,2,2")
    assert len(list(tmp_path.iterdir())) == 3


def test_it_needs_numpy_only(project_root: Path) -> None:
    """Neither Amaranth nor Verilator: it runs where training runs."""
    result = run_on_the_board(
        """
import tempfile
from pathlib import Path
import numpy as np
from fractrain.host.graph.choice import fixed_choices
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.step import build_step
from fractrain.host.modelling import StepModel
from fractrain.host.networks.registry import build_network
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Precision
network = build_network("resnet8", channels=3, classes=10, rng=np.random.default_rng(0))
two = Precision(2, 2, 2)
step = build_step(network, (1, 3, 8, 8), StepOptions((two,)))
with tempfile.TemporaryDirectory() as folder:
    model = StepModel(load_parameters("tiny"), step, folder=Path(folder))
    print(model.cost(fixed_choices([two] * 3)).cycles > 0)
""",
        project_root,
    )
    assert result.stdout == "True\n", result.stderr


# -- what is refused ---------------------------------------------------------------------------


def test_refusals(tmp_path: Path) -> None:
    step = layers_step(2, 1)
    with pytest.raises(ParameterError, match="memory: got 'sram', allowed: port or ddr"):
        StepModel(PARAMETERS, step, "sram", tmp_path)
    model = StepModel(PARAMETERS, step, folder=tmp_path)
    with pytest.raises(ParameterError, match="choices: got 1, allowed: 2, one for each block"):
        cost_of(model, "0,0,0")
    eight = StepModel(machine(precision__max_bits=8), step, folder=tmp_path)
    with pytest.raises(ParameterError, match=r"weight bits of layer1: got 9, .*0\.\.8"):
        cost_of(eight, "8,8,8", "8,9,8")


@pytest.mark.parametrize(
    "name",
    [
        "hw/contract/commands/__init__.py",
        "hw/targets/target.py",
        "host/compiler/step.py",
        "host/graph/geometry.py",
    ],
)
def test_kept_costs_are_of_these_sources(name: str, project_root: Path, tmp_path: Path) -> None:
    """Of all files, those of inner packages too, and of where they are."""
    for each in SOURCES:
        copy = shutil.copytree if (project_root / each).is_dir() else shutil.copy
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        copy(project_root / each, tmp_path / each)
    before = digest(PARAMETERS, SOURCES, tmp_path)
    assert before == digest(PARAMETERS, SOURCES)
    with (tmp_path / name).open("a", encoding="utf-8") as file:
        file.write("# other\n")
    changed = digest(PARAMETERS, SOURCES, tmp_path)
    assert changed != before
    (tmp_path / "hw/contract/commands/__init__.py").rename(tmp_path / "hw/contract/commands/at.py")
    assert digest(PARAMETERS, SOURCES, tmp_path) not in (before, changed)
