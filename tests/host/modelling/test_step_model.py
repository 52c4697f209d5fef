"""A step's cost from its passes, against whole steps on the cycle model."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from fractrain.host.compiler import compile_program
from fractrain.host.modelling import LayerShape, StepCost, StepModel, layer_precisions, layer_shapes
from fractrain.host.modelling.energy import joules
from fractrain.host.modelling.layers import make_step, training_program
from fractrain.host.modelling.pass_costs import PassCosts, predict_program
from fractrain.host.networks.registry import build_network
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Pass, Precision
from tests.hw.machines import machine
from tests.test_architecture import run_on_the_board

PARAMETERS = load_parameters("tiny")
NETWORK = build_network("resnet8", channels=3, classes=10, rng=np.random.default_rng(0))
ZC706 = load_parameters("zc706")
ONE = [LayerShape("one", 8, 8, (8, 8), (3, 3), 1, 1)]
SKIP = Precision(0, 0, 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("costs")


@pytest.mark.parametrize(
    ("memory", "count", "blocks", "bound"),
    [
        ("port", 6, ["4,4,6", "3,3,6"], 0.02),
        ("port", 6, ["8,8,8", "0,0,0"], 0.03),
        ("ddr", 3, ["4,4,6", "3,3,6"], 0.08),
    ],
)
def test_against_a_whole_step(
    memory: str, count: int, blocks: list[str], bound: float, folder: Path
) -> None:
    """The first layers on the ZC706 machine; beyond the reference batches, on the straight line."""
    layers = layer_shapes(NETWORK, (16, 16))[:count]
    given = [Precision.parse(each) for each in [*blocks, "8,8,8"]]
    precisions = layer_precisions(NETWORK, given)[:count]
    cost = StepModel(ZC706, layers, 12, memory, folder).cost(precisions)
    program, slots = training_program(ZC706, layers, 12, precisions, memory)
    cycles, busy, moved = predict_program(program, slots, memory)
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
    geometry = ONE[0].geometry(2)
    found = PassCosts(PARAMETERS, "port", folder).get(pass_, geometry, (4, 3))
    steps = [make_step(pass_, geometry, 0, (4, 3), "port", name) for name in "ab"]
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
    cost = StepModel(PARAMETERS, ONE, 4, folder=folder).cost([Precision(4, 4, 4)])
    assert cost.seconds == cost.cycles / 200e6
    assert cost.joules == joules(PARAMETERS, cost.cycles, cost.busy_cycles, cost.bytes_moved)
    slow = dataclasses.replace(PARAMETERS, clock_mhz=100)
    slower = StepModel(slow, ONE, 4, folder=folder).cost([Precision(4, 4, 4)])
    assert slower.cycles == cost.cycles and slower.seconds == 2 * cost.seconds


def test_skipped_layers_cost_nothing(folder: Path) -> None:
    model = StepModel(PARAMETERS, ONE * 2, 4, folder=folder)
    assert model.cost([SKIP, SKIP]) == StepCost()
    # wherever it is, and whichever operand has 0 bits
    some = Precision(3, 3, 6)
    alone = StepModel(PARAMETERS, ONE, 4, folder=folder).cost([some])
    for skip in (SKIP, Precision(0, 3, 6), Precision(3, 0, 6), Precision(3, 3, 0)):
        assert model.cost([some, skip]) == model.cost([skip, some]) == alone


def test_more_bits_cost_more(folder: Path) -> None:
    model = StepModel(PARAMETERS, ONE, 4, folder=folder)
    for path in ("2,4,4 4,4,4 6,4,4", "4,2,4 4,4,4 4,6,4", "4,4,2 4,4,4 4,4,6"):
        costs = [model.cost([Precision.parse(each)]) for each in path.split()]
        for less, more in zip(costs, costs[1:], strict=False):
            assert less.cycles < more.cycles and less.busy_cycles < more.busy_cycles
            assert less.bytes_moved < more.bytes_moved and less.joules < more.joules


def test_a_line_through_the_reference_batches(folder: Path) -> None:
    wanted = [Precision(4, 4, 6)]
    four, eight, twenty = (
        StepModel(PARAMETERS, ONE, batch, folder=folder).cost(wanted) for batch in (4, 8, 20)
    )
    assert twenty.bytes_moved == eight.bytes_moved + 3 * (eight.bytes_moved - four.bytes_moved)
    # what is the same for every batch: the weights, twice, and commands
    fixed = 2 * four.bytes_moved - eight.bytes_moved
    assert 2 * 8 * 8 * 9 * 4 / 8 <= fixed < 0.5 * four.bytes_moved


def test_the_first_convolution_makes_no_error(folder: Path) -> None:
    first = [dataclasses.replace(ONE[0], needs_error=False)]
    wanted = [Precision(4, 4, 4)]
    less, more = (
        StepModel(PARAMETERS, layers, 4, folder=folder).cost(wanted) for layers in (first, ONE)
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
    model = StepModel(PARAMETERS, ONE * 3, 2, folder=tmp_path)
    first = model.cost([Precision(2, 2, 2)] * 3)
    assert len(asked) == 3
    # the same bits in the forward pass; error and gradient are new
    model.cost([Precision(2, 2, 2), Precision(2, 2, 3), Precision(2, 2, 3)])
    assert len(asked) == 5
    # another process finds them in the file
    assert (
        StepModel(PARAMETERS, ONE * 3, 2, folder=tmp_path).cost([Precision(2, 2, 2)] * 3) == first
    )
    assert len(asked) == 5
    assert [file.suffix for file in tmp_path.iterdir()] == [".json"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"a": 1}', '{"a": [1, 2, 3]}', '{"a": [1, 2, 3, NaN]}', "\xff"]
)
def test_a_damaged_file_is_made_anew(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = StepModel(PARAMETERS, ONE, 2, folder=tmp_path)
    wanted = [Precision(2, 2, 2)]
    cost = model.cost(wanted)
    (file,) = tmp_path.iterdir()
    good = file.read_bytes()
    file.write_bytes(text.encode("latin-1"))
    asked = count_evaluations(monkeypatch)
    assert StepModel(PARAMETERS, ONE, 2, folder=tmp_path).cost(wanted) == cost
    assert len(asked) == 3 and file.read_bytes() == good


def test_processes_keep_each_others_costs(tmp_path: Path) -> None:
    first, second = (StepModel(PARAMETERS, ONE, 2, folder=tmp_path) for _ in range(2))
    first.cost([Precision(2, 2, 2)])
    second.cost([Precision(3, 3, 3)])
    (file,) = tmp_path.iterdir()
    assert len(json.loads(file.read_text())) == 6


def test_no_place_to_keep_them(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cost = StepModel(PARAMETERS, ONE, 2, folder=tmp_path / "file").cost([Precision(2, 2, 2)])
    assert cost.cycles > 0


def test_machines_and_memories_are_kept_apart(tmp_path: Path) -> None:
    wanted = [Precision(2, 2, 2)]
    for parameters, memory in (
        (PARAMETERS, "port"),
        (PARAMETERS, "ddr"),
        (machine(memory__ports=1), "port"),
    ):
        StepModel(parameters, ONE, 2, memory, tmp_path).cost(wanted)
    assert len(list(tmp_path.iterdir())) == 3


def test_it_needs_numpy_only(project_root: Path) -> None:
    """Neither Amaranth nor Verilator: it runs where training runs."""
    result = run_on_the_board(
        f"""
import tempfile
from pathlib import Path
from fractrain.host.compiler import compile_program
from fractrain.host.modelling import LayerShape, StepModel
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Pass, Precision
with tempfile.TemporaryDirectory() as folder:
    layer = {ONE[0]!r}
    model = StepModel(load_parameters("tiny"), [layer], 2, folder=Path(folder))
    print(model.cost([Precision(2, 2, 2)]).cycles > 0)
""",
        project_root,
    )
    assert result.stdout == "True\n", result.stderr


# -- what is refused ---------------------------------------------------------------------------


def test_refusals(tmp_path: Path) -> None:
    for arguments, message in (
        ((ONE, 0), "batch: got 0, allowed: at least 1"),
        (([], 1), "layers: got .*at least one"),
        ((ONE, 1, "sram"), "memory: got 'sram', allowed: port or ddr"),
    ):
        with pytest.raises(ParameterError, match=message):
            StepModel(PARAMETERS, *arguments, folder=tmp_path)  # type: ignore[arg-type]
    model = StepModel(PARAMETERS, ONE * 9, 1, folder=tmp_path)
    with pytest.raises(ParameterError, match=r"precisions: got 1, allowed: 9, .*; the order is"):
        model.cost([SKIP])
    eight = StepModel(machine(precision__max_bits=8), ONE, 1, folder=tmp_path)
    with pytest.raises(ParameterError, match=r"weight bits of one: got 9, .*0\.\.8"):
        eight.cost([Precision(8, 9, 8)])
