"""What was measured beside what was modelled: per step, by pass, with power or without."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.cli.main import main
from fractrain.host.reports.document import comparison_document
from fractrain.host.reports.measured_table import ENERGY_REMARK, measured_table
from fractrain.host.reports.quantities import MEASURED_ENERGY, MEASURED_TIME, MODELLED_TIME
from fractrain.host.reports.run import Run, load_runs, read_run
from fractrain.host.reports.tables import results_table
from fractrain.hw.contract.errors import DataError
from tests.host.reports.html_page import Page
from tests.host.reports.synthetic import write_run

TITLE = "A step, measured beside modelled"
ON_COSIM = {"backend": "cosim", "measured_as": "RTL cycles", "machine": {"clock_mhz": 200}}
ON_BOARD = ON_COSIM | {"backend": "board", "config": "zc706", "measured_as": "board"}
RAILS = [
    {"name": "in", "channels": ["hwmon0/power1"], "how": "power", "input": True},
    {"name": "core", "channels": ["hwmon0/power2"], "how": "power", "input": False},
    {"name": "ddr", "channels": ["hwmon0/power3"], "how": "power", "input": False},
]


def measure(folder: Path, steps: Sequence[int] = range(40), **fields: Any) -> Path:
    """Steps of 50,000 cycles at 200 MHz: a quarter of a millisecond; the first takes 5 s of the
    wall clock, others 2 ms. ``fields`` are added to each line."""
    passes = {
        "forward": {"cycles": 15_000, "busy_cycles": 15_000},
        "error": {"cycles": 10_000, "busy_cycles": 5_000},
        "gradient": {"cycles": 20_000, "busy_cycles": 20_000},
        "other": {"cycles": 5_000, "busy_cycles": 0},
    }
    lines = [
        {
            "step": step,
            "wall_seconds": 5.0 if step == 0 else 0.002,
            "programs": 26,
            "cycles": 50_000,
            "busy_cycles": 40_000,
            "bytes_in": 3_000_000,
            "bytes_out": 1_000_000,
            "stall_operand": 500,
            "stall_result": 0,
            "stall_memory": 2_500,
            "stall_token": 50,
            "seconds": 0.00025,
            "passes": passes,
            **fields,
        }
        for step in steps
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "measured.jsonl").write_text(text)
    return folder


def wall_clock(folder: Path) -> Path:
    """Steps of a run without a machine."""
    lines = [{"step": step, "wall_seconds": 0.5} for step in range(40)]
    (folder / "measured.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def add_power(folder: Path, joules: Sequence[dict[str, Any]], *, ended: bool = True) -> Path:
    """A record of the documented form: a part, samples, and the steps of ``joules`` by rail."""
    entries: list[dict[str, Any]] = [
        {"kind": "part", "format": "fractrain-power/1", "channels": [], "rails": RAILS},
        {"kind": "sample", "time": 1.0, "values": []},
        *({"kind": "step", "step": step, "joules": each} for step, each in enumerate(joules)),
    ]
    (folder / "power.jsonl").write_text("".join(json.dumps(each) + "\n" for each in entries))
    if ended:
        total = sum(each["core"] + each["ddr"] for each in joules)
        summary = json.loads((folder / "summary.json").read_text())
        summary["measured_energy"] = {
            "steps": len(joules),
            "joules": total,
            "joules_per_step": total / len(joules),
            "sample_rate_hz": 19.8,
            "samples": 1040,
            "note": None,
        }
        (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def rows(*runs: Run) -> dict[str, tuple[str, list[str]]]:
    """Source and cells by name."""
    table = measured_table(runs)
    assert table is not None and table.title == TITLE
    return {row.name: (row.source.value, list(row.cells)) for row in table.rows}


def test_counters_beside_the_model(tmp_path: Path) -> None:
    run = read_run(measure(write_run(tmp_path / "run", config=ON_COSIM)))
    assert run.totals[MEASURED_TIME].value == pytest.approx(40 * 0.00025)
    assert run.evaluations[1].costs[MEASURED_TIME].value == pytest.approx(20 * 0.00025)
    found = rows(run)
    assert found["measured on"] == ("recorded", ["RTL cycles of tiny at 200 MHz"])
    assert found["accelerator time"] == ("measured", ["250 µs"])
    assert found["FPGA time"] == ("modelled", ["200 µs"])
    assert found["wall clock, median"] == ("measured", ["2.00 ms"])
    assert found["cycles"] == ("measured", ["50,000"])
    assert found["array busy"] == ("measured", ["80.0 %"])
    shares = {"forward": "30.0 %", "error": "20.0 %", "gradient": "40.0 %"}
    for name, share in shares.items():
        assert found[f"cycles of {name} passes"] == ("measured", [share])
    assert found["other cycles"] == ("measured", ["10.0 %"])
    assert found["stalls, memory"] == ("measured", ["5.0 %"])
    assert found["stalls, token"] == ("measured", ["0.1 %"])
    assert found["moved to and from memory"] == ("measured", ["4.00 MB"])
    assert found["FPGA energy"] == ("modelled", ["2.00 mJ"])
    assert not any("board" in name or "power" in name for name in found)
    table = measured_table([run])
    assert table is not None
    assert table.remarks[1:] == [
        "run: measured RTL cycles of tiny at 200 MHz, modelled for zc706 at 200 MHz: "
        "another machine."
    ]
    # nobody ran the same steps at 8 bits
    assert not any(row.name.endswith("of accelerator time") for row in results_table([run]).rows)


def test_a_board_with_power(tmp_path: Path) -> None:
    """The input rail is what the others get: it is not added to them."""
    folder = measure(write_run(tmp_path / "run", config=ON_BOARD), machine_seconds=0.0005)
    add_power(folder, [{"in": 9.0, "core": 0.5, "ddr": 0.25}] * 40)
    run = read_run(folder)
    assert run.totals[MEASURED_ENERGY].value == 30
    assert run.evaluations[0].costs[MEASURED_ENERGY].value == 7.5
    found = rows(run)
    assert found["measured on"] == ("recorded", ["board of zc706 at 200 MHz"])
    assert found["board energy"] == ("measured", ["750 mJ"])
    assert found["of it machine, median"] == ("measured", ["500 µs"])
    assert found["power samples per second"] == ("measured", ["19.8"])
    assert found["power samples"] == ("measured", ["1,040"])
    table = measured_table([run])
    assert table is not None and table.remarks[1:] == [ENERGY_REMARK]
    assert "board energy" in {row.name for row in results_table([run]).rows}


def test_a_board_run_that_has_not_ended(tmp_path: Path) -> None:
    """Energy of the steps so far; a step whose rail could not be read has none."""
    folder = write_run(tmp_path / "run", done=25, ended=False, config=ON_BOARD)
    joules = [{"in": None, "core": 1.0, "ddr": 2.0}] * 24 + [{"core": 1.0, "ddr": None}]
    run = read_run(add_power(measure(folder, range(25)), joules, ended=False))
    assert run.measured.joules_per_step == 3
    assert run.totals[MEASURED_ENERGY].value == 60  # until the evaluation after 20 steps
    assert run.totals[MEASURED_TIME].value == pytest.approx(20 * 0.00025)
    assert MEASURED_ENERGY not in run.measured.costs_at(25)


def test_a_board_without_rails_says_why(tmp_path: Path) -> None:
    folder = measure(write_run(tmp_path / "run", config=ON_BOARD))
    summary = json.loads((folder / "summary.json").read_text())
    note = "no rail has power, or voltage and current of one label"
    summary["measured_energy"] = {"steps": 40, "joules": None, "joules_per_step": None} | {
        "note": note
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    run = read_run(folder)
    assert MEASURED_ENERGY not in run.totals and "board energy" not in rows(run)
    table = measured_table([run])
    assert table is not None and f"run: {note}" in table.remarks


def test_a_clock_is_all_there_is_without_a_machine(tmp_path: Path) -> None:
    run = read_run(wall_clock(write_run(tmp_path / "run")))
    assert MEASURED_TIME not in run.totals and run.measuring_machine is None
    assert list(rows(run)) == [
        *("steps measured", "FPGA time", "wall clock, median", "FPGA energy"),
    ]
    assert rows(run)["wall clock, median"][1] == ["500 ms"]


def test_nothing_measured_no_table(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run"))
    assert measured_table([run]) is None
    assert comparison_document([run])["runs"][0]["measured_steps"] is None


def test_steps_that_are_missing_or_done_again(tmp_path: Path) -> None:
    """What the summary says of some steps only is not taken for all."""
    folder = measure(write_run(tmp_path / "run", config=ON_COSIM), range(30, 40))
    with (folder / "measured.jsonl").open("a") as file:
        line = (folder / "measured.jsonl").read_text().splitlines()[-1]
        file.write(json.dumps(json.loads(line) | {"cycles": 70_000}) + '\n{"step": 7, "wa')
    summary = json.loads((folder / "summary.json").read_text())
    summary["measured"] = {"steps": 10, "seconds": 0.0025}
    (folder / "summary.json").write_text(json.dumps(summary))
    run = read_run(folder)
    assert MEASURED_TIME not in run.totals and MODELLED_TIME in run.totals
    assert run.notes == [
        "measured.jsonl: the last line is incomplete and left out",
        "measured.jsonl has 10 of 40 steps",
    ]
    assert run.measured.mean("cycles") == 52_000
    summary["measured"]["steps"] = 40
    (folder / "summary.json").write_text(json.dumps(summary))
    assert read_run(folder).totals[MEASURED_TIME].value == 0.0025


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("measured.jsonl", '{"wall_seconds": 1}', "line 41: step is missing"),
        ("measured.jsonl", '{"step": 1, "passes": 3}', "passes is 3, not an object"),
        ("measured.jsonl", '{"step": 1, "cycles": "x"}', "cycles is 'x', not a number"),
        ("power.jsonl", '{"kind": "step", "joules": {}}', "line 43: step is missing"),
        ("power.jsonl", '{"kind": "step", "step": 1, "joules": 3}', "joules is 3, not an object"),
    ],
)
def test_what_is_not_understood_is_an_error(
    name: str, line: str, message: str, tmp_path: Path
) -> None:
    folder = add_power(measure(write_run(tmp_path / "run")), [{"core": 1.0, "ddr": 1.0}] * 40)
    with (folder / name).open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(DataError, match=message):
        read_run(folder)


def test_compare_and_report_show_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "golden")
    folder = measure(write_run(tmp_path / "board", config=ON_BOARD))
    add_power(folder, [{"core": 0.5, "ddr": 0.25}] * 40)
    target, page = tmp_path / "all.json", tmp_path / "all.html"
    names = ["golden", "board", "--runs", str(tmp_path)]
    assert main(["compare", *names, "--json", str(target), "--html", str(page)]) == 0
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["accelerator", "time", "measured", "—", "250", "µs"] in printed
    assert ["FPGA", "time", "modelled", "200", "µs", "200", "µs"] in printed
    assert ["board", "energy", "measured", "—", "750", "mJ"] in printed
    table = Page(page.read_text(encoding="utf-8")).tables[TITLE]
    assert table["accelerator time"] == ["—", "250 µs"]
    golden, board = json.loads(target.read_text())["runs"]
    assert golden["measured_steps"] is None
    entry = board["measured_steps"]
    assert (entry["machine"], entry["cycles"]) == ("board of zc706 at 200 MHz", 50_000)
    assert entry["cycles_of_passes"]["gradient"] == 20_000
    assert (entry["joules"], entry["energy"]["sample_rate_hz"]) == (0.75, 19.8)
    assert board["at_equal_steps"]["measured_joules"]["value"] == 30
    loaded = load_runs(["board"], tmp_path)
    assert loaded[0].totals[MEASURED_TIME].baseline is None
