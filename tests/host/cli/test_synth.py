"""`fractrain synth` as a user sees it; the synthesis itself is replaced by fixed figures."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fractrain.gen.synthesis import figures as figures_module
from fractrain.gen.synthesis.area import Area, ModuleArea
from fractrain.gen.synthesis.budget import read_budget
from fractrain.gen.synthesis.depth import TimingPath
from fractrain.gen.synthesis.figures import Figures
from fractrain.gen.synthesis.parts import PARTS
from fractrain.host.cli.main import main
from fractrain.host.cli.synth import PARTS as OFFERED_PARTS
from fractrain.hw.contract.parameters import Parameters, load_parameters, preset_names
from tests.hw.machines import with_vector

ARRAY = Figures(
    luts=86_336,
    packed_luts=85_749,
    flip_flops=138_632,
    dsps=512,
    bram36=0.0,
    memory_luts=1_112,
    luts_per_bit_product=1.171,
    logic_levels=2,
    levels_after_memory=0,
    loads_per_operand_bit=16,
    loads_of_any_net=128,
    notes={"most loads": "cluster.upper"},
    paths=(TimingPath(2, "beat[0]", "results"),),
    modules=[ModuleArea("dot", 512, Area(luts=149))],
)
MACHINE = Area(
    luts=135_786,
    packed_luts=130_000,
    flip_flops=215_000,
    dsps=512,
    half_brams=301,
    memory_luts=8_200,
)
UNIT = Area(luts=69_738, packed_luts=62_553, flip_flops=96_318, dsps=178, half_brams=423)
BOTH = dataclasses.replace(
    ARRAY, luts=MACHINE.luts + UNIT.luts, areas={"machine": MACHINE, "vector unit": UNIT}
)


@pytest.fixture(autouse=True)
def fixed_figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a folder of its own, as figures are kept for `fractrain bitstream`."""
    monkeypatch.chdir(tmp_path)

    def synthesize_part(
        part: str, parameters: Parameters, cache: Path, progress: Callable[[str], None]
    ) -> Figures:
        assert part == "array"
        progress("abc9")
        return ARRAY

    monkeypatch.setattr(figures_module, "synthesize_part", synthesize_part)


@pytest.fixture
def budget(tmp_path: Path) -> Callable[[str], str]:
    """Write a budget and return its path."""

    def write(text: str) -> str:
        file = tmp_path / "budget.yaml"
        file.write_text(text)
        return str(file)

    return write


def run(*options: str) -> int:
    return main(["synth", "--config", "tiny", "--part", "array", *options])


def test_parts_on_the_command_line_are_those_that_exist() -> None:
    assert tuple(PARTS) == OFFERED_PARTS


def test_all_is_what_contains_the_rest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    done = []

    def synthesize_part(part: str, *arguments: object) -> Figures:
        done.append(part)
        return ARRAY

    monkeypatch.setattr(figures_module, "synthesize_part", synthesize_part)
    assert main(["synth", "--config", "tiny"]) == 0
    assert done == ["array", "top"]
    done.clear()
    assert main(["synth", "--config", with_unit(tmp_path)]) == 0
    assert done == ["array", "vector", "top"]


def with_unit(folder: Path) -> str:
    """A file with the small machine and a vector unit."""
    file = folder / "unit.yaml"
    file.write_text(json.dumps(with_vector().to_mapping()))
    return str(file)


def test_a_vector_unit_that_the_machine_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", "--config", "tiny", "--part", "vector"]) == 2
    error = capsys.readouterr().err
    assert "array, engine, top, all (tiny has no vector unit)" in error and error.count("\n") == 1


def test_a_machine_with_a_vector_unit_shows_what_each_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(figures_module, "synthesize_part", lambda *arguments: BOTH)
    json_file = tmp_path / "figures.json"
    options = ["--part", "top", "--json", str(json_file)]
    assert main(["synth", "--config", with_unit(tmp_path), *options]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = {" ".join(line[:2]).rstrip("0123456789, "): line for line in lines}
    assert rows["machine"][1:4] == ["135,786", "62.1", "%"]
    assert rows["vector unit"][2:5] == ["69,738", "31.9", "%"]
    assert rows["together"][1:4] == ["205,524", "94.0", "%"]
    areas = json.loads(json_file.read_text())["parts"]["top"]["areas"]
    assert areas["machine"]["luts"] == 135_786 and areas["machine"]["bram36"] == 150.5
    assert areas["vector unit"] == {
        **dict(luts=69_738, packed_luts=62_553, flip_flops=96_318),
        **dict(dsps=178, bram36=211.5, memory_luts=0),
    }


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    lines = [line.strip().split("  ") for line in capsys.readouterr().out.splitlines() if line]
    rows = {line[0]: " ".join(line[1:]).split() for line in lines}
    assert rows["LUT"] == ["86,336", "39.5", "%", "218,600"]
    assert rows["DSP48"] == ["512", "56.9", "%", "900"]
    assert rows["FF"] == ["138,632", "31.7", "%", "437,200"]
    assert rows["BRAM36"] == ["0", "0.0", "%", "545"]
    assert rows["LUT used as memory"] == ["1,112", "1.6", "%", "70,400"]
    assert rows["LUTs per bit-product"] == ["1.17"]
    assert rows["logic levels between registers"] == ["2"]


def test_json(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    assert run("--json", str(file)) == 0
    document = json.loads(file.read_text())
    assert document["config"] == "tiny"
    assert document["device"]["luts"] == 218_600
    assert document["parts"]["array"]["luts_per_bit_product"] == 1.171
    assert document["parts"]["array"]["modules"][0]["count"] == 512


def test_json_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run("--json", str(tmp_path / "file" / "figures.json")) == 3
    assert "cannot write" in capsys.readouterr().err


def test_within_the_budget(budget: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    text = "array: {luts: 86336, luts_per_bit_product: 1.25, logic_levels: 4}"
    assert run("--budget", budget(text)) == 0
    shown = capsys.readouterr().out
    assert "within the budget" in shown
    assert "1.25" in shown


def test_beyond_the_budget_names_each_figure(
    budget: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "array: {luts: 86335, dsps: 512, loads_per_operand_bit: 15}"
    assert run("--budget", budget(text)) == 6
    captured = capsys.readouterr()
    assert "array.luts: 86,336, budget 86,335" in captured.err
    assert "array.loads_per_operand_bit: 16, budget 15" in captured.err
    assert "dsps" not in captured.err
    assert "86,335" in captured.out  # the table comes all the same


def test_figure_that_is_not_measured_is_no_pass(
    budget: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without = dataclasses.replace(ARRAY, loads_per_operand_bit=None)
    monkeypatch.setattr(figures_module, "synthesize_part", lambda *arguments: without)
    assert run("--budget", budget("array: {loads_per_operand_bit: 16}")) == 6
    assert "not measured" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("aray: {luts: 1}", 2, "array, engine, vector, top"),
        ("array: {lutz: 1}", 2, "lutz"),
        ("array: {luts: many}", 2, "got 'many'"),
        ("array: {luts: true}", 2, "got True"),
        ("array: 5", 2, "a mapping"),
        ("array: {luts: [", 3, "is not YAML: line 1"),
    ],
)
def test_wrong_budget(
    text: str, code: int, says: str, budget: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--budget", budget(text)) == code
    assert says in capsys.readouterr().err


def test_no_budget_for_this_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--check") == 3
    assert "no budget for tiny" in capsys.readouterr().err


def test_committed_budget_holds_the_targets() -> None:
    """The limits of DESIGN section 9 on the array, and limits for the engine and the board."""
    committed = read_budget("zc706")
    array = committed["array"]
    assert array["luts_per_bit_product"] <= 1.25
    assert array["logic_levels"] <= 4
    assert array["levels_after_memory"] == 0
    assert array["loads_per_operand_bit"] <= 16
    for part in ("engine", "top"):
        assert committed[part]["luts"] <= 0.65 * 218_600
        assert committed[part]["bram36"] <= 0.60 * 545
        assert committed[part]["logic_levels"] <= 4


def test_the_second_target_s_budget_leaves_room_on_its_part() -> None:
    """Three quarters of the XC7Z020, and 100 MHz at speed grade -1 within reach."""
    committed, part = read_budget("z7020"), load_parameters("z7020").target.part
    for limits in committed.values():
        for figure in ("luts", "bram36", "dsps", "memory_luts", "flip_flops"):
            assert limits[figure] <= 0.75 * getattr(part, figure)
        assert limits["logic_levels"] <= 4
        assert limits["levels_after_memory"] == 0
        assert limits["loads_per_operand_bit"] <= 16


def test_budgets_are_no_presets() -> None:
    assert preset_names() == ["tiny", "tiny-vector", "z7020", "zc706", "zc706-vector"]
