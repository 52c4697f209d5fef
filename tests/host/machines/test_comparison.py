"""Machines side by side: `fractrain compare --machines`, `fractrain report --machines`, and what
they show."""

import json
from pathlib import Path

import pytest

from fractrain.host.cli.main import main
from fractrain.host.machines import comparison
from fractrain.host.machines.comparison import (
    BIT_FUSION,
    CONTENDERS,
    EYERISS,
    PACKED,
    compare_machines,
    machines_document,
)
from fractrain.host.machines.tables import machines_page, machines_section, machines_table
from fractrain.host.machines.trace import EIGHT
from fractrain.host.machines.trace_files import write_trace
from fractrain.hw.contract.precision import Pass, Precision
from fractrain.sim.machines import Layer, Work
from tests.host.machines.runs import MIXED, small_trace, write_small_run
from tests.host.reports.html_page import Page

FOUR = Precision(4, 4, 6)
QUICK = (BIT_FUSION, EYERISS[0], PACKED)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours takes the cycle model seconds, and has tests of its own."""
    monkeypatch.setattr(comparison.compare_machines, "__defaults__", (QUICK, lambda text: None))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with one run."""
    write_small_run(tmp_path / "runs" / "mixed", MIXED)
    return tmp_path / "runs"


def test_compare_machines_as_a_user_calls_it(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, page = tmp_path / "all.json", tmp_path / "all.html"
    options = ["--runs", str(runs), "--json", str(file), "--html", str(page)]
    assert main(["compare", "--machines", "mixed", *options]) == 0
    printed = capsys.readouterr().out
    document = json.loads(file.read_text())
    assert [each["label"] for each in document["machines"]] == [each.label for each in QUICK]
    for each in document["results"]:
        assert each["machine"] in printed
        assert sum(p["seconds"] for p in each["passes"].values()) == pytest.approx(each["seconds"])
        layers = [p["joules"] for layer in each["layers"].values() for p in layer.values()]
        assert sum(layers) == pytest.approx(each["joules"])
        assert each["saving"]["seconds"] == 1 - each["seconds"] / each["fw8bw8"]["seconds"]
    shown = Page(page.read_text())
    (title,) = [each for each in shown.tables if each.startswith("mixed: resnet8, 8 steps")]
    assert list(shown.tables[title])[1:] == [each.label for each in QUICK]
    assert not shown.references or all(each.startswith("#") for each in shown.references)
    # the page of the run shows the same
    report = tmp_path / "report.html"
    known = {"--runs": str(runs), "--out": str(report)}
    assert main(["report", "mixed", "--machines", *(w for kv in known.items() for w in kv)]) == 0
    again = Page(report.read_text())
    assert again.tables[title] == shown.tables[title]
    assert "Quoted, not modelled" in again.tables


def test_one_block_in_one_step_changes_every_machine_that_has_precisions() -> None:
    before = small_trace((3, FOUR), (5, EIGHT))
    bits = (FOUR, Precision(5, 5, 6), FOUR)
    changed = small_trace((2, FOUR), (5, EIGHT))
    changed = type(changed)(
        *(changed.name, changed.model, changed.images, changed.batch),
        (*changed.stretches, type(changed.stretches[0])(1, bits)),
    )
    old, new = (
        {each.contender.label: each.cost.total for each in compare_machines([trace], QUICK)}
        for trace in (before, changed)
    )
    assert new["Bit Fusion"].seconds > old["Bit Fusion"].seconds
    assert new["packed DSP"].seconds > old["packed DSP"].seconds
    assert new[EYERISS[0].label] == pytest.approx(old[EYERISS[0].label])


def test_ratios_are_against_the_same_steps_on_the_same_machine() -> None:
    trace = small_trace((3, FOUR))
    (result,) = compare_machines([trace], (PACKED,))
    (eight,) = compare_machines([trace.at(EIGHT)], (PACKED,))
    assert result.eight.total == eight.cost.total
    assert eight.seconds_saved == 0 and 0 < result.seconds_saved < 1
    row = machines_table([result], trace).rows[0]
    assert row.cells[1] == f"{100 * result.seconds_saved:.1f} %"


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda each: each.label)
def test_no_work_is_faster_than_the_peak(contender: comparison.Contender) -> None:
    if contender.machine.name == "zc706":
        pytest.skip("its busy cycles are the cycle model's")
    for bits in ((8, 8), (4, 4), (4, 6), (12, 8)):
        work = Work(Layer(3, 8, 1, 64, 64, 4), Pass.FORWARD, bits)
        figures = contender.machine.figures(work)
        rate = figures.macs / figures.seconds
        assert 0 < rate <= contender.machine.peak(bits) * (1 + 1e-9)
        moved = (figures.dram_read_bits + figures.dram_write_bits) / 8
        if contender.machine.memory_bandwidth is not None:
            assert moved / figures.seconds <= contender.machine.memory_bandwidth


def test_peaks() -> None:
    peaks = {each.label: each.machine.peak((8, 8)) for each in CONTENDERS}
    assert peaks["Bit Fusion"] == 512 * 500e6
    assert peaks["Eyeriss 12×14, 200 MHz"] == 168 * 200e6
    assert peaks["double-pumped DSP"] == 2 * peaks["packed DSP"] == 900 * 2 * 400e6
    assert peaks["ours, DDR"] == 73_728 / 64 * 200e6
    assert BIT_FUSION.machine.peak((4, 4)) == 4 * BIT_FUSION.machine.peak((8, 8))
    assert BIT_FUSION.machine.peak((12, 8)) == BIT_FUSION.machine.peak((8, 8)) / 2


def test_the_page_is_drawn_from_the_traces() -> None:
    """Names of other people are escaped; a picture says what it shows in words."""
    trace = small_trace((3, FOUR), name="<b>&")
    section = machines_section(compare_machines([trace], QUICK))
    assert len(section.pictures) == 3
    assert all('aria-label="' in each.svg and each.small for each in section.pictures)
    page = machines_page(compare_machines([trace], QUICK))
    assert "<b>&:" not in page and Page(page)
    assert machines_document(compare_machines([trace], QUICK))["traces"][0]["cp"] == trace.cp


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nothing"], 3, "no run nothing"),
        (["resnet8:4,4"], 2, "precision of the mix"),
        (["resnet8:4,4,6", "resnet8/128:4,4,6"], 2, "RUN: got 'resnet8/128:4,4,6', allowed: each"),
        (["resnet8:4,4,6", "--json", "none/all.json"], 3, "none/all.json"),
        ([], 2, "RUN"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        assert main(["compare", "--machines", *arguments]) == code
    except SystemExit as stop:
        assert stop.code == code
    error = capsys.readouterr().err
    assert says in error and error.count("\n") <= 2


def test_a_trace_file_is_enough(tmp_path: Path) -> None:
    write_trace(tmp_path / "t.json", small_trace((3, FOUR)))
    assert main(["compare", "--machines", str(tmp_path / "t.json")]) == 0
