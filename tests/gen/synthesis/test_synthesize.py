"""Yosys itself, on the small preset: results, cache, failures."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fractrain.gen.synthesis import yosys
from fractrain.gen.synthesis.figures import measure
from fractrain.gen.synthesis.netlist import Netlist
from fractrain.gen.synthesis.parts import PARTS
from fractrain.gen.synthesis.yosys import synthesize
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.contract.parameters import Parameters, load_parameters

COUNTER = """
module counter(input clk, input [3:0] step, output reg [7:0] count);
  always @(posedge clk) count <= count + step;
endmodule
"""


@pytest.fixture(scope="module")
def parameters() -> Parameters:
    return load_parameters("tiny")


@pytest.fixture(scope="module")
def array(
    parameters: Parameters, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Netlist, dict[str, int]]:
    """The array, and the cells of it as Yosys counts them."""
    cache = tmp_path_factory.mktemp("synth")
    part = PARTS["array"]
    netlist = synthesize(part.verilog(parameters), part.top, cache)
    (statistics,) = cache.glob("*/stat.json")
    return netlist, json.loads(statistics.read_text())["design"]["num_cells_by_type"]


def test_cells_over_the_hierarchy_are_those_that_yosys_counts(
    array: tuple[Netlist, dict[str, int]],
) -> None:
    netlist, counted = array
    cells = {name: number for name, number in counted.items() if name not in netlist.modules}
    assert netlist.cell_counts == cells
    assert cells["DSP48E1"] > 0


def test_figures_of_the_array(
    array: tuple[Netlist, dict[str, int]], parameters: Parameters
) -> None:
    """One DSP slice for each unit, no block RAM, and the limits that hold for every array."""
    figures = measure(
        array[0],
        operands=("rows", "columns"),
        bit_products=parameters.bit_products_per_cycle,
    )
    assert figures.dsps == parameters.array.rows * parameters.array.columns
    assert figures.bram36 == 0
    assert figures.flip_flops > parameters.array.rows * parameters.array.lanes
    assert figures.logic_levels <= 4
    assert figures.levels_after_memory == 0
    assert figures.loads_per_operand_bit is not None
    assert 1 < figures.loads_per_operand_bit <= 16
    assert figures.luts_per_bit_product == round(
        figures.luts / parameters.bit_products_per_cycle, 4
    )


def test_result_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages: list[str] = []
    first = synthesize(COUNTER, "counter", tmp_path, stages.append)
    assert "abc9" in stages
    assert first.cell_counts["FDRE"] == 8

    def must_not_run(work: Path, progress: object) -> None:
        pytest.fail("synthesized again")

    monkeypatch.setattr(yosys, "_run", must_not_run)
    assert synthesize(COUNTER, "counter", tmp_path).cell_counts == first.cell_counts
    with pytest.raises(pytest.fail.Exception, match="again"):
        synthesize(COUNTER.replace("[7:0]", "[9:0]"), "counter", tmp_path)


def test_failure_is_in_yosys_words_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"Yosys failed: .*syntax error"):
        synthesize("module counter(; endmodule", "counter", tmp_path)
    assert list(tmp_path.iterdir()) == []


BREAKS = """\
def run_yosys(arguments):
    print("2.25. Executing ABC9 pass (a stage).")
    raise RuntimeError("error while executing\\n\\nCaused by:\\n    thrown Wasm exception")
"""
DIES = "run_yosys = lambda arguments: __import__('os').kill(__import__('os').getpid(), 9)"


@pytest.mark.parametrize(
    ("program", "most_kb", "says"),
    [
        (BREAKS, 1, "Yosys ran out of memory in abc9: as WebAssembly it has 4 GB"),
        (
            BREAKS,
            1 << 40,
            "Yosys failed: ERROR: error while executing Caused by: thrown Wasm exception",
        ),
        (DIES, 1, "Yosys was ended by signal 9 in reading"),
    ],
    ids=["memory", "trap", "killed"],
)
def test_a_breakdown_is_one_line(
    program: str, most_kb: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yosys, "IMPORT", program)
    monkeypatch.setattr(yosys, "MOST_KB", most_kb)
    with pytest.raises(MachineError) as error:
        synthesize(COUNTER, "counter", tmp_path)
    assert str(error.value) == says
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_memory_that_runs_out_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trap itself: some 300 MB, saved until no more of it fits."""
    saves = "".join(f"design -save copy{number}\n" for number in range(60))
    monkeypatch.setattr(yosys, "SCRIPT", "# {top}\nread_verilog design.v\n" + saves)
    wires = range(20)
    ports = ", ".join(f"output [16777000:0] o{number}" for number in wires)
    drivers = "".join(f"assign o{number} = ~{number};\n" for number in wires)
    with pytest.raises(MachineError, match="Yosys ran out of memory"):
        synthesize(f"module top({ports});\n{drivers}endmodule\n", "top", tmp_path)


def test_net_with_two_drivers_is_refused(tmp_path: Path) -> None:
    """What Yosys only warns of by default."""
    text = "module top(input a, b, output o); assign o = a; assign o = b; endmodule"
    with pytest.raises(MachineError, match="Yosys failed"):
        synthesize(text, "top", tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        "wire open; assign o = open ^ a;",  # synthesis would make a constant of it
        "reg held; always @* if (a) held = b; assign o = held;",
        "missing cell (.i(a), .o(o));",
    ],
    ids=["no driver", "latch", "no such module"],
)
def test_a_fault_of_the_sources_is_refused(body: str, tmp_path: Path) -> None:
    text = f"module top(input a, b, output o); {body} endmodule"
    with pytest.raises(MachineError, match="Yosys failed"):
        synthesize(text, "top", tmp_path)


def test_the_verilog_says_which_modules_stay(tmp_path: Path) -> None:
    text = (
        COUNTER
        + """
module top(input clk, input [3:0] step, output [7:0] count);
  counter inside (.clk(clk), .step(step), .count(count));
endmodule
"""
    )
    kept = text.replace("module counter", '(* keep_hierarchy = "yes" *) module counter')
    assert set(synthesize(text, "top", tmp_path).modules) == {"top"}
    assert set(synthesize(kept, "top", tmp_path).modules) == {"top", "counter"}


TWINS = """
module top(input clk, input d, output a, output b);
  %s reg one = 0;
  %s reg other = 0;
  always @(posedge clk) begin one <= d; other <= d; end
  assign a = one;
  assign b = other;
endmodule
"""


@pytest.mark.parametrize(("attribute", "count"), [("", 1), ('(* keep = "true" *)', 2)])
def test_the_verilog_says_which_registers_stay_twice(
    attribute: str, count: int, tmp_path: Path
) -> None:
    text = TWINS % (attribute, attribute)
    assert synthesize(text, "top", tmp_path).cell_counts["FDRE"] == count


def test_kill_leaves_nothing_that_looks_complete(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
import os
from fractrain.gen.synthesis import yosys
def die(work, progress):
    (work / "netlist.json").write_text("{{")
    os.kill(os.getpid(), 9)
yosys._run = die
yosys.synthesize({COUNTER!r}, "counter", Path({str(tmp_path)!r}))
"""
    root = Path(__file__).resolve().parents[3]
    environment = os.environ | {"PYTHONPATH": str(root)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, timeout=60)
    assert result.returncode == -9
    assert synthesize(COUNTER, "counter", tmp_path).cell_counts["FDRE"] == 8
