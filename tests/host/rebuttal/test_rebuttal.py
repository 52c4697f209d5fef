"""`fractrain rebuttal`: every claim, from the committed runs, with nothing looked up."""

import json
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.cli.main import build_parser, main
from fractrain.host.machines import comparison
from fractrain.host.machines.comparison import (
    BIT_FUSION,
    EYERISS,
    OURS_DDR,
    OURS_PORT,
    PACKED,
    RECURSIVE,
    compare_machines,
)
from fractrain.host.machines.sources import load_trace
from fractrain.host.rebuttal import on_the_zc706
from fractrain.host.rebuttal.inputs import default_folder, read_inputs
from fractrain.host.rebuttal.published import DFQ, FRACTRAIN, SETTINGS
from fractrain.sim.machines import PACKED_DSP
from tests.host.machines.runs import MIXED, write_small_run
from tests.host.reports.html_page import Page

SUBJECTS = (
    *("effective-macs", "bit-fusion", "against-eyeriss", "zc706", "rivals", "backward-8"),
    *("sensitivity", "one-precision", "mini-batch-gates", "split", "deep", "accuracy", "watts"),
    "asics",
)


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """A stand-in for our machine, which takes the cycle model a minute."""
    monkeypatch = pytest.MonkeyPatch()
    port, ddr = (
        replace(each, machine=replace(PACKED_DSP, label=label, packing=packing))
        for each, label, packing in ((OURS_PORT, "port", (4, 3, 1)), (OURS_DDR, "ddr", (4, 2, 1)))
    )
    monkeypatch.setattr(on_the_zc706, "OURS_PORT", port)
    monkeypatch.setattr(on_the_zc706, "OURS_DDR", ddr)
    monkeypatch.setattr(on_the_zc706, "MACHINES", (RECURSIVE, PACKED, port, ddr))
    rivals = (*on_the_zc706.RIVALS[:3], port, ddr)
    monkeypatch.setattr(on_the_zc706, "RIVALS", rivals)
    machines = (BIT_FUSION, EYERISS[0], PACKED)
    monkeypatch.setattr(comparison.compare_machines, "__defaults__", (machines, lambda text: None))
    yield
    monkeypatch.undo()


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory, quick: None) -> tuple[dict[str, Any], str]:
    """Of the committed runs."""
    return rebuttal(tmp_path_factory.mktemp("committed"))


def rebuttal(folder: Path, *options: str) -> tuple[dict[str, Any], str]:
    """The document and the page."""
    page, file = folder / "page.html", folder / "all.json"
    assert main(["rebuttal", "--html", str(page), "--json", str(file), *options]) == 0
    return json.loads(file.read_text()), page.read_text()


def figures(document: dict[str, Any], identifier: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = next(
        each["figures"] for each in document["claims"] if each["id"] == identifier
    )
    return found


def value(document: dict[str, Any], identifier: str, name: str) -> float:
    (found,) = [each for each in figures(document, identifier) if each["name"].startswith(name)]
    return float(found["ours"])


def test_every_claim_from_the_committed_runs(
    committed: tuple[dict[str, Any], str], project_root: Path
) -> None:
    document, page = committed
    assert tuple(each["id"] for each in document["claims"]) == SUBJECTS
    shown = Page(page)
    assert all(each.startswith("#") for each in shown.references), "the page loads nothing"
    for claim in document["claims"]:
        assert claim["title"] in shown.text
        for each in claim["figures"]:
            assert each["source"] in ("measured", "modelled", "quoted"), each
            assert (each["command"] is None) == (each["source"] == "quoted"), each
            assert each["claimed"] is not None or each["ours"] is not None
            if each["command"]:
                program, command, *arguments = shlex.split(each["command"])
                assert program == "fractrain"
                build_parser(command).parse_args([command, *arguments])
    assert str(project_root) not in page and str(project_root) not in json.dumps(document)

    # the law of the published table
    for each in figures(document, "bit-fusion")[:4]:
        limit = 0.03 if each["name"].startswith("time") else 0.10
        assert abs(each["ours"] - each["claimed"]) <= limit, each["name"]
    # against Eyeriss, 12 x 14 at 500 MHz, with the longer run
    main_figures = figures(document, "against-eyeriss")[:4]
    assert {each["name"].partition(" ")[0] for each in main_figures} == {"latency", "energy"}
    for each in main_figures:
        limit = 0.08 if each["name"].startswith("latency") else 0.14
        assert "12×14, 500 MHz" in each["name"]
        assert abs(each["ours"] - each["claimed"]) <= limit, each["name"]
    # all arrays and clocks are beside it
    names = " ".join(each["name"] for each in figures(document, "against-eyeriss"))
    assert all(each.label in names for each in EYERISS)
    # the recursive design is near the claims
    assert value(document, "zc706", "latency saved, recursive DSP, ResNet-38") == pytest.approx(
        0.388, abs=0.002
    )


def test_figures_can_be_made_again_by_their_commands(
    committed: tuple[dict[str, Any], str], tmp_path: Path
) -> None:
    document, _ = committed
    name = "latency saved, recursive DSP, ResNet-74"
    (figure,) = [each for each in figures(document, "zc706") if each["name"].startswith(name)]
    mix = shlex.split(figure["command"])[-1]
    (result,) = compare_machines([load_trace(mix, tmp_path)], (RECURSIVE,))
    assert result.seconds_saved == pytest.approx(figure["ours"], rel=1e-5)


def test_one_bit_of_the_trace_changes_the_page(
    committed: tuple[dict[str, Any], str], tmp_path: Path, project_root: Path
) -> None:
    """Nothing is looked up."""
    results = tmp_path / "results"
    shutil.copytree(project_root / "docs" / "results", results)
    before, old = committed
    file = results / "integers" / "traces" / "fractrain-s0.json"
    document = json.loads(file.read_text())
    # one block in one step: from 8 bits of errors to 7
    dearest = max(document["candidates"], key=lambda each: sum(document["candidates"][each]))
    place, text = next(
        (place, each) for place, each in enumerate(document["stretches"]) if each.endswith(dearest)
    )
    steps, letters = text.split(" ")
    activation, weight, error = document["candidates"][dearest]
    document["candidates"]["z"] = [activation, weight, error - 1]
    changed = [f"1 {letters[:-1]}z"]
    if int(steps) > 1:
        changed.insert(0, f"{int(steps) - 1} {letters}")
    document["stretches"][place : place + 1] = changed
    file.write_text(json.dumps(document))
    after, new = rebuttal(tmp_path, "--results", str(results))
    assert old != new.replace(str(results), "docs/results")
    run = "saved, our run fractrain-s0"
    assert value(after, "effective-macs", run) > value(before, "effective-macs", run)
    old_results, new_results = (each["machines"]["results"] for each in (before, after))
    assert new_results[0]["joules"] != old_results[0]["joules"]
    # the run at FW8/BW8 is what it was
    assert new_results[-1] == old_results[-1]


def test_runs_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_small_run(tmp_path / "runs" / "mine", MIXED)
    document, page = rebuttal(tmp_path, "--runs", str(tmp_path / "runs"), "--traces", "mine")
    printed = capsys.readouterr().out
    for claim in document["claims"]:
        assert claim["title"] in printed and claim["finding"] in printed
    assert [each["name"] for each in document["traces"]] == ["mine"]
    saved = value(document, "effective-macs", "saved, our run mine")
    assert saved == 1 - (
        document["traces"][0]["effective_macs"] / document["traces"][0]["effective_macs_fw8bw8"]
    )
    assert "fractrain-s0" not in page


def test_without_runs_and_sweep_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    document, page = rebuttal(tmp_path, "--results", str(tmp_path / "empty"))
    claims = {each["id"]: each for each in document["claims"]}
    assert claims["sensitivity"]["status"] == "cannot be checked here"
    assert "sweep.json is missing" in Page(page).text
    assert claims["one-precision"]["figures"] == []
    assert claims["bit-fusion"]["figures"]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--results", "nowhere"], 3, "no folder nowhere"),
        (["--traces", "nothing"], 3, "no run nothing"),
        (["--html", "none/page.html"], 3, "none/page.html"),
    ],
)
def test_mistakes_are_one_line(
    options: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rebuttal", *options]) == code
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


def test_runs_are_paired_by_task_mode_and_seed() -> None:
    """One with float surroundings, other chunks, or another seed is no pair of FracTrain's."""
    inputs = read_inputs(default_folder())
    assert {one.name: other.name for one, other in inputs.pairs} == {
        "fractrain-s0": "fw8bw8-s0",
        "fractrain-s1": "fw8bw8-s1",
        "fractrain-turn-s1": "fw8bw8-s1",
    }
    assert inputs.static is not None and inputs.static.name == "fw8bw8-s0"
    others = {name: each for name, each in inputs.traces.items() if name != "fw8bw8-s0"}
    left = [one.name for one, _ in replace(inputs, traces=others).pairs]
    assert left == ["fractrain-s1", "fractrain-turn-s1"]


def test_lengths_follow_from_the_published_table() -> None:
    """As the reference derives them."""
    lengths = [each.length(FRACTRAIN) for each in SETTINGS]
    assert lengths == pytest.approx([1.01, 1.20, 0.66, 1.21], abs=0.005)
    assert all(0.6 < each.length(DFQ) < 1.2 for each in SETTINGS)
