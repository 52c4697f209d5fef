"""Run folders: whole, unfinished, torn, damaged, contradicting themselves, and none at all."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fractrain.host.reports.quantities import (
    EFFECTIVE_MACS,
    MEASURED_TIME,
    MODELLED_ENERGY,
    MODELLED_TIME,
)
from fractrain.host.reports.run import load_runs, read_run
from fractrain.hw.contract.errors import DataError, ParameterError
from tests.host.reports.synthetic import progressive, static, write_run


def append(path: Path, text: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def change_line(path: Path, number: int, **fields: Any) -> None:
    """Set fields of one JSON line; ``...`` removes one."""
    lines = path.read_text().splitlines()
    record = json.loads(lines[number]) | fields
    lines[number] = json.dumps({key: value for key, value in record.items() if value is not ...})
    path.write_text("\n".join(lines) + "\n")


def test_a_finished_run(tmp_path: Path) -> None:
    bits = progressive((0, (4, 4, 6)), (20, (8, 8, 8)))
    run = read_run(write_run(tmp_path / "pfq", method="pfq", bits=bits))
    assert (run.name, run.steps_done, run.steps_planned, run.notes) == ("pfq", 40, 40, [])
    assert [each.step for each in run.evaluations] == [10, 20, 30, 40]
    assert run.log.bits.shape == (40, 3, 3)
    # 20 steps at (4·4 + 6·4 + 4·6) / 192 = 1/3 of a million, 20 whole ones
    macs = run.totals[EFFECTIVE_MACS]
    assert macs.value == pytest.approx(20e6 / 3 + 20e6) and macs.baseline == 40e6
    assert macs.saving == pytest.approx(1 / 3)
    # a quarter of the time is fixed: 20 steps take (1/4 + 3/4 · 1/3) = 1/2 of 40,000 cycles
    time = run.totals[MODELLED_TIME]
    assert (time.value, time.baseline) == pytest.approx((30 * 40_000 / 2e8, 40 * 40_000 / 2e8))
    assert run.modelled_machine == "zc706 at 200 MHz"
    starts = run.log.stage_starts()
    assert [(each.stage, each.step, each.epoch, each.bits) for each in starts] == [
        (0, 0, 0, (4, 4, 6)),
        (1, 20, 0, (8, 8, 8)),
    ]
    assert np.allclose(run.log.block_costs[[0, 39]], [[6.25 / 3] * 3, [6.25] * 3])


def test_measured_blocks(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", measured=True))
    assert run.totals[MEASURED_TIME].value == pytest.approx(2 * run.totals[MODELLED_TIME].value)
    assert run.evaluations[0].costs[MEASURED_TIME].baseline == pytest.approx(2 * 10 * 40_000 / 2e8)


def test_a_run_that_was_stopped(tmp_path: Path) -> None:
    """Costs are those of its last evaluation, not of the steps after it."""
    run = read_run(write_run(tmp_path / "run", done=25, ended=False))
    assert (run.steps_done, run.totals_step, run.summary) == (25, 20, None)
    assert run.totals[EFFECTIVE_MACS].value == 20e6
    assert run.totals[MODELLED_TIME].value == pytest.approx(20 * 40_000 / 2e8)
    assert run.modelled_machine is None


def test_what_the_summary_lacks_is_not_taken_from_an_earlier_step(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    summary = json.loads((folder / "summary.json").read_text())
    del summary["modelled"]
    (folder / "summary.json").write_text(json.dumps(summary))
    whole = read_run(folder)
    assert whole.totals[MODELLED_TIME] == whole.evaluations[-1].costs[MODELLED_TIME]
    lines = (folder / "evaluations.jsonl").read_text().splitlines(keepends=True)
    (folder / "evaluations.jsonl").write_text("".join(lines[:-1]))
    assert set(read_run(folder).totals) == {EFFECTIVE_MACS}


def test_a_run_without_evaluation_counts_its_log(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", done=5, ended=False))
    assert run.best is None and run.totals_step == 5
    assert run.totals[EFFECTIVE_MACS].value == 5e6
    assert run.totals[MODELLED_ENERGY].value == pytest.approx(5 * 0.002)
    assert MODELLED_TIME not in run.totals
    (run.path / "evaluations.jsonl").unlink()
    assert read_run(run.path).notes == ["evaluations.jsonl is missing: no evaluation yet"]


@pytest.mark.parametrize("torn", ['{"step": 40, "lo', b'{"step"\xc3', "[1, 2", "\0\0\0\0"])
@pytest.mark.parametrize("file", ["log.jsonl", "evaluations.jsonl"])
def test_a_torn_last_line_is_left_out(tmp_path: Path, file: str, torn: str | bytes) -> None:
    folder = write_run(tmp_path / "run", ended=False)
    append(folder / file, torn)
    run = read_run(folder)
    assert run.notes == [f"{file}: the last line is incomplete and left out"]
    assert run.steps_done == 40 and len(run.evaluations) == 4


def test_a_last_line_without_its_end_counts(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", ended=False)
    log = folder / "log.jsonl"
    log.write_text(log.read_text().rstrip("\n"))
    run = read_run(folder)
    assert (run.steps_done, run.notes) == (40, [])


def test_damaged_lines_in_the_middle(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", ended=False)
    log = folder / "log.jsonl"
    lines = log.read_text().splitlines()
    lines[6], lines[8] = "garbage", lines[8][:20]
    log.write_text("\n".join(lines) + "\n")
    run = read_run(folder)
    assert run.notes == [
        "log.jsonl: 2 damaged lines are left out (7, 9)",
        "log.jsonl: 2 of 40 steps are missing",
    ]
    assert run.log_totals == {}, "a sum over what is left would be wrong"


def test_steps_that_were_done_again(tmp_path: Path) -> None:
    """A run that went on from an older state logs some steps twice; the second time counts."""
    folder = write_run(tmp_path / "run", done=30, ended=False)
    log, evaluations = folder / "log.jsonl", folder / "evaluations.jsonl"
    first = log.read_text().splitlines()
    append(log, "\n".join(first[15:]) + "\n")
    change_line(log, 30, loss=7.5)  # step 15, the second time
    append(evaluations, json.dumps({"step": 20, "test_accuracy": 33.0}) + "\n")
    run = read_run(folder)
    assert run.log.step.tolist() == list(range(30))
    assert run.log["loss"][15] == 7.5
    assert run.notes == ["log.jsonl: 15 steps were done again later; the later ones count"]
    assert [(each.step, each.test_accuracy) for each in run.evaluations] == [(10, 50), (20, 33)]


@pytest.mark.parametrize("value", [None, ..., float("nan"), float("inf")])
def test_missing_values_are_gaps(tmp_path: Path, value: object) -> None:
    folder = write_run(tmp_path / "run", ended=False)
    for name in ("loss", "joules", "stage", "epoch", "effective_macs"):
        change_line(folder / "log.jsonl", 3, **{name: value})
    change_line(folder / "log.jsonl", 4, bits=None)
    change_line(folder / "evaluations.jsonl", 1, seconds=value, test_images=value)
    run = read_run(folder)
    assert np.flatnonzero(np.isnan(run.log["loss"])).tolist() == [3]
    assert np.isnan(run.log.bits[4]).all() and not np.isnan(run.log.bits[5]).any()
    assert run.log_totals == {}
    assert run.evaluations[1].test_images is None
    assert MODELLED_TIME not in run.evaluations[1].costs
    assert len(run.log.stage_starts()) == 1, "a gap is no change of stage"


@pytest.mark.parametrize(
    ("file", "fields", "message"),
    [
        ("log.jsonl", {"step": ...}, "log.jsonl, line 3: step is missing"),
        ("log.jsonl", {"loss": "high"}, "log.jsonl, line 3: loss is 'high', not a number"),
        ("log.jsonl", {"cp": True}, "log.jsonl, line 3: cp is True, not a number"),
        ("log.jsonl", {"bits": [[8, 8, 8]]}, "line 3: bits of 1 blocks, config.json names 3"),
        ("log.jsonl", {"bits": [[8, 8]] * 3}, "line 3: bits is not a list of [a, w, e] numbers"),
        ("log.jsonl", {"bits": 8}, "line 3: bits is not a list of [a, w, e] numbers"),
        ("evaluations.jsonl", {"test_accuracy": None}, "line 3: test_accuracy is missing"),
        ("evaluations.jsonl", {"measured": 3}, "line 3: measured is 3, not an object"),
    ],
)
def test_what_is_not_understood_is_an_error(
    tmp_path: Path, file: str, fields: dict[str, Any], message: str
) -> None:
    folder = write_run(tmp_path / "run")
    change_line(folder / file, 2, **fields)
    with pytest.raises(DataError, match=re.escape(message)):
        read_run(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"text"'])
@pytest.mark.parametrize("file", ["config.json", "summary.json"])
def test_damaged_documents(tmp_path: Path, file: str, text: str) -> None:
    folder = write_run(tmp_path / "run")
    (folder / file).write_text(text)
    with pytest.raises(DataError, match=f"{folder / file} is damaged"):
        read_run(folder)


@pytest.mark.parametrize("file", ["config.json", "log.jsonl"])
def test_a_folder_that_is_no_run(tmp_path: Path, file: str) -> None:
    folder = write_run(tmp_path / "run")
    (folder / file).unlink()
    with pytest.raises(DataError, match=f"is not the folder of a run: it has no {file}"):
        read_run(folder)


def test_files_that_contradict_each_other(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    summary = json.loads((folder / "summary.json").read_text())
    summary |= {"effective_macs": 39e6, "steps": 41}
    (folder / "summary.json").write_text(json.dumps(summary))
    assert read_run(folder).notes == [
        "effective MACs: log.jsonl adds up to 40.000 M, summary.json says 39.000 M",
        "log.jsonl has 40 steps, summary.json says 41",
    ]


def test_a_log_without_a_step(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", done=0, ended=False)
    run = read_run(folder)
    assert (run.steps_done, run.totals, run.log.stage_starts()) == (0, {}, [])
    assert run.notes == ["log.jsonl has no step yet"]


@pytest.mark.parametrize(
    ("method", "bits", "expected"),
    [
        ("static", static(), True),
        ("static", static((8, 8, 6)), False),
        ("static", progressive((0, (8, 8, 8)), (39, (8, 8, 16))), False),
        ("pfq", static(), True),
        ("pfq", static((8, 8, 6)), False),
    ],
)
def test_which_runs_are_the_reference(
    tmp_path: Path, method: str, bits: Any, expected: bool
) -> None:
    run = read_run(write_run(tmp_path / "run", method=method, bits=bits))
    assert run.is_static_8bit is expected


def test_runs_by_folder_by_name_and_by_link(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    first, second = write_run(root / "first"), write_run(tmp_path / "other" / "first")
    third = write_run(root / "third")
    (root / "latest").symlink_to("third")
    runs = load_runs(["first", str(second), "latest"], root)
    assert [run.path for run in runs] == [first, second, third]
    assert [run.name for run in runs] == ["runs/first", "other/first", "third"]
    with pytest.raises(DataError, match=f"no run forth: neither forth nor {root}/forth"):
        load_runs(["first", "forth"], root)
    with pytest.raises(ParameterError, match="RUN: got 'latest', allowed: each run once"):
        load_runs(["third", "latest"], root)


def test_a_run_may_be_called_as_a_folder_that_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, root = tmp_path / "here", tmp_path / "runs"
    (here / "board").mkdir(parents=True)
    monkeypatch.chdir(here)
    with pytest.raises(DataError, match=r"board is not the folder of a run"):
        load_runs(["board"], root)
    folder = write_run(root / "board")
    assert load_runs(["board"], root)[0].path == folder.resolve()
