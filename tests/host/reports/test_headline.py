"""One sentence: what was saved at what accuracy, or what a run reached."""

from pathlib import Path
from typing import Any

from fractrain.host.reports.headline import headline
from fractrain.host.reports.run import Run, read_run
from tests.host.reports.synthetic import progressive, static, write_run

LOW = static((4, 4, 6))


def made(folder: Path, **options: Any) -> Run:
    return read_run(write_run(folder, **options))


def test_a_static_run(tmp_path: Path) -> None:
    run = made(tmp_path / "static", accuracies=(50, 80, 92, 91))
    assert headline([run]) == (
        "static reached 92.00 % test accuracy in 30 steps (91.00 % after 40 steps), all at 8 bits: "
        "40.0 M effective MACs and, modelled, 8.00 ms and 80.0 mJ on the FPGA."
    )


def test_a_run_that_saved(tmp_path: Path) -> None:
    run = made(tmp_path / "pfq", method="pfq", bits=LOW)
    assert headline([run]) == (
        "pfq reached 91.00 % test accuracy in 40 steps with 66.7 % fewer effective MACs and, "
        "modelled, 50.0 % less FPGA time and 50.0 % less FPGA energy than the same steps at 8 bits."
    )


def test_a_run_that_cost_more(tmp_path: Path) -> None:
    run = made(tmp_path / "wide", bits=static((16, 16, 16)), modelled=False)
    assert headline([run]).endswith(
        "in 40 steps with 300.0 % more effective MACs than the same steps at 8 bits."
    )


def test_runs_that_are_not_done(tmp_path: Path) -> None:
    going = made(tmp_path / "going", done=25, ended=False)
    assert headline([going]).startswith(
        "So far, with 25 of 40 steps done, going reached 80.00 % test accuracy in 20 steps, all at"
    )
    untested = made(tmp_path / "untested", done=1, ended=False)
    assert headline([untested]) == (
        "untested has done 1 of 40 steps and has not been evaluated yet."
    )
    new = made(tmp_path / "new", done=0, ended=False)
    assert headline([new]) == "new has not done a step yet."
    assert headline([new, untested]) == "None of 2 runs has been evaluated yet."


def test_against_a_static_run(tmp_path: Path) -> None:
    """Up to the accuracy that all reached, the thriftiest."""
    runs = [
        made(tmp_path / "static", accuracies=(50, 80, 91, 90)),
        made(tmp_path / "low", bits=LOW, accuracies=(70, 91.5, 92, 89)),
        made(tmp_path / "pfq", bits=LOW, accuracies=(60, 70, 80, 93)),
    ]
    assert headline(runs) == (
        "low needed 77.8 % fewer effective MACs and 66.7 % less FPGA time (modelled) than static "
        "to reach 91.00 % test accuracy; at their best they reach 92.00 % and 91.00 %."
    )
    late = made(tmp_path / "late", bits=static((8, 8, 12)), accuracies=(10, 20, 30, 95))
    assert headline([runs[0], late]) == (
        "No run came to 91.00 % test accuracy with fewer effective MACs than static."
    )


def test_without_a_static_run(tmp_path: Path) -> None:
    runs = [
        made(tmp_path / "low", bits=LOW, accuracies=(80, 90)),
        made(tmp_path / "lower", bits=static((3, 3, 6)), accuracies=(70, 85)),
    ]
    assert headline(runs) == (
        "low reached the highest test accuracy, 90.00 %, with 66.7 % fewer effective MACs and, "
        "modelled, 50.0 % less FPGA time and 50.0 % less FPGA energy than the same steps at "
        "8 bits; lower saved most, 76.6 % of the effective MACs, at 85.00 %."
    )


def test_several_tasks(tmp_path: Path) -> None:
    other = {"dataset": "cifar100"}
    runs = [
        made(tmp_path / "low", bits=LOW),
        made(tmp_path / "other", bits=progressive((0, (4, 4, 6)), (20, (8, 8, 8))), config=other),
    ]
    assert headline(runs) == (
        "2 runs of 2 tasks; accuracies compare only within one. They saved 33.3 % to 66.7 % of the "
        "effective MACs of the same steps at 8 bits."
    )


def test_long_names_are_cut(tmp_path: Path) -> None:
    run = made(tmp_path / ("a" * 100 + "z"))
    assert headline([run]).startswith("a" * 22 + "…" + "a" * 20 + "z reached")
