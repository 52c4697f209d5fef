"""Tables and document of a sweep, from summaries with figures that are known."""

import json
from pathlib import Path
from typing import Any

from fractrain.host.sweeps.job import Job, Outcome
from fractrain.host.sweeps.points import Point, Resolved
from fractrain.host.sweeps.results import (
    Result,
    document,
    dots,
    headline,
    points_table,
    read_result,
    remarks,
    seeds_table,
)


def result(
    out: Path, settings: dict[str, str], accuracy: float | None = None, **more: Any
) -> Result:
    """Of a run whose saving is a quarter; without ``accuracy`` it has failed."""
    point = Point("run-" + "_".join(settings.values()), settings, Resolved((), {}, 5))
    job = Job(point.folder(out), ())
    job.folder.mkdir()
    if accuracy is None:
        return read_result(point, job, Outcome(1, "diverged"))
    summary = {
        "test_accuracy": accuracy,
        "test_images": 10,
        "effective_macs": 3e6,
        "effective_macs_fw8bw8": 4e6,
        "modelled": None,
        "versions": {"numpy": "2"},
    }
    (job.folder / "summary.json").write_text(json.dumps(summary | more))
    return read_result(point, job, None)


def test_points(tmp_path: Path) -> None:
    results = [
        result(tmp_path, {"alpha": "0.3", "seed": "0"}, 91.5),
        result(tmp_path, {"alpha": "0.4", "seed": "0"}),
    ]
    table = points_table(results)
    assert table.heads == [
        *("#", "alpha", "seed", "test accuracy", "effective MACs", "saving", "state")
    ]
    assert [list(row) for row in table.rows] == [
        ["1", "0.3", "0", "91.50 %", "3.00 M", "25.0 %", "finished"],
        ["2", "0.4", "0", "—", "—", "—", "failed"],
    ]
    sources = [None if each is None else each.value for each in table.sources]
    assert sources == [None, None, None, "measured", "computed", "computed", None]
    assert table.marked == [0]
    entry = document(Path("s.yaml"), results)["points"][1]
    assert (entry["state"], entry["error"], entry["costs"]) == ("failed", "diverged", {})


def test_modelled_time_and_energy_are_shown_if_a_run_has_them(tmp_path: Path) -> None:
    modelled = {"seconds": 2.0, "seconds_fw8bw8": 4.0, "joules": 30.0, "joules_fw8bw8": 40.0}
    results = [
        result(tmp_path, {"alpha": "0.3"}, 90, modelled=modelled),
        result(tmp_path, {"alpha": "0.4"}, 80),
    ]
    table = points_table(results)
    assert table.heads[5:] == [
        *("FPGA time", "saving of FPGA time", "FPGA energy", "saving of FPGA energy")
    ]
    assert list(table.rows[0])[5:] == ["2.00 s", "50.0 %", "30.0 J", "25.0 %"]
    assert list(table.rows[1])[5:] == ["—"] * 4
    costs = document(Path("s.yaml"), results)["points"][0]["costs"]
    assert costs["modelled_seconds"] == {"value": 2.0, "fw8bw8": 4.0, "saving": 0.5}


def test_means_over_seeds(tmp_path: Path) -> None:
    """80, 84, 88: mean 84, sample standard deviation 4; one seed alone has none."""
    results = [
        result(tmp_path, {"alpha": "0.3", "seed": str(seed)}, accuracy)
        for seed, accuracy in enumerate((80, 84, 88))
    ]
    results.append(result(tmp_path, {"alpha": "0.4", "seed": "0"}, 70))
    results.append(result(tmp_path, {"alpha": "0.4", "seed": "1"}))
    table = seeds_table(results)
    assert table is not None
    assert table.rows == [
        ["0.3", "3", "84.00 %", "4.00", "25.0 %"],
        ["0.4", "1", "70.00 %", "—", "25.0 %"],
    ]
    assert seeds_table(results[3:]) is None
    assert seeds_table([result(tmp_path, {"beta": "0.3"}, 80)]) is None


def test_the_headline(tmp_path: Path) -> None:
    """The most accurate run and the one that saved most, with their settings."""
    none = [result(tmp_path, {"alpha": "0.1"})]
    assert headline(none) == "None of 1 run has finished yet."
    one = [result(tmp_path, {"alpha": "0.2"}, 91.5)]
    assert headline([*none, *one]) == (
        "The most accurate of the 1 of 2 runs that finished, run 2 (alpha 0.2), reached 91.50 % "
        "and saved 25.0 % of the effective MACs; none saved more."
    )
    thrifty = result(tmp_path, {"alpha": "0.3"}, 88, effective_macs=1e6)
    worse = result(tmp_path, {"alpha": "0.4"}, 85, effective_macs=2e6)
    assert headline([*one, thrifty, worse]) == (
        "The most accurate of 3 runs, run 1 (alpha 0.2), reached 91.50 % and saved 25.0 % of the "
        "effective MACs; run 2 (alpha 0.3) saved most, 75.0 %, at 88.00 %."
    )
    assert points_table([*one, thrifty, worse]).marked == [0, 1]


def test_dots_say_what_they_are(tmp_path: Path) -> None:
    results = [
        result(tmp_path, {"alpha": "0.3", "seed": "0"}),
        result(tmp_path, {"alpha": "0.4", "seed": "1"}, 80),
    ]
    (dot,) = dots(results)
    assert (dot.label, dot.group, dot.about) == ("2", "alpha 0.4", "alpha 0.4, seed 1")
    assert (dot.accuracy, dot.saving, dot.images) == (80, 0.25, 10)


def test_remarks(tmp_path: Path) -> None:
    same = [result(tmp_path, {"a": str(each)}, 80) for each in range(2)]
    assert remarks(same) == []
    other = result(tmp_path, {"a": "2"}, 80, versions={"numpy": "3"}, test_images=20)
    assert remarks([*same, other]) == [
        "The runs are of 2 different versions of this program, Python or NumPy.",
        "Accuracies are over different numbers of test images.",
    ]
    (same[0].folder / "summary.json").write_text('{"a": 1}')
    damaged = read_result(same[0].point, Job(same[0].folder, ()), None)
    assert remarks([damaged]) == []
