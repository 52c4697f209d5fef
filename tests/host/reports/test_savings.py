"""Comparisons at equal accuracy: who reached it first, at what cost, against whom."""

from pathlib import Path

import pytest

from fractrain.host.reports.document import comparison_document
from fractrain.host.reports.published import RESULTS, published_tables
from fractrain.host.reports.quantities import EFFECTIVE_MACS, MODELLED_TIME
from fractrain.host.reports.run import Run, read_run
from fractrain.host.reports.savings import at_equal_accuracy, caveats
from fractrain.host.reports.settings import settings
from fractrain.host.reports.tables import results_table
from tests.host.reports.synthetic import static, write_run

LOW = static((4, 4, 6))


def three_runs(tmp_path: Path) -> list[Run]:
    """Steps of a third of the MACs and half the time of the first run's."""
    return [
        read_run(write_run(tmp_path / "static", accuracies=(50, 80, 91, 90))),
        read_run(write_run(tmp_path / "low", bits=LOW, accuracies=(70, 91.5, 92, 89))),
        read_run(
            write_run(
                tmp_path / "pfq", method="pfq", bits=LOW, accuracies=(60, 70, 80, 93), measured=True
            )
        ),
    ]


def test_first_evaluation_at_the_lowest_best_accuracy(tmp_path: Path) -> None:
    (comparison,) = at_equal_accuracy(three_runs(tmp_path))
    assert comparison.target == 91
    assert comparison.reference is comparison.entries[0]
    assert [entry.evaluation.step for entry in comparison.entries] == [30, 20, 40]
    savings = [comparison.saving(each, EFFECTIVE_MACS) for each in comparison.entries]
    assert savings == pytest.approx([0, 1 - 20 / 3 / 30, 1 - 40 / 3 / 30])
    savings = [comparison.saving(each, MODELLED_TIME) for each in comparison.entries]
    assert savings == pytest.approx([0, 1 - 10 / 30, 1 - 20 / 30])


def test_without_a_static_8bit_run(tmp_path: Path) -> None:
    (comparison,) = at_equal_accuracy(three_runs(tmp_path)[1:])
    assert comparison.target == 92 and comparison.reference is None
    assert comparison.saving(comparison.entries[0], EFFECTIVE_MACS) is None


def test_a_quantity_that_one_run_lacks(tmp_path: Path) -> None:
    runs = [
        read_run(write_run(tmp_path / "static")),
        read_run(write_run(tmp_path / "low", bits=LOW, modelled=False)),
    ]
    (comparison,) = at_equal_accuracy(runs)
    assert comparison.saving(comparison.entries[1], MODELLED_TIME) is None
    assert comparison.saving(comparison.entries[1], EFFECTIVE_MACS) == pytest.approx(2 / 3)


def test_tasks_are_compared_apart(tmp_path: Path) -> None:
    other = {"dataset": "cifar100"}
    runs = [
        *three_runs(tmp_path),
        read_run(write_run(tmp_path / "a", config=other, bits=LOW, accuracies=(10, 20))),
        read_run(write_run(tmp_path / "b", config=other, bits=LOW, accuracies=(15, 30))),
        read_run(write_run(tmp_path / "alone", config={"model": "resnet20"})),
        read_run(write_run(tmp_path / "untested", done=3, ended=False)),
    ]
    found = [(each.task, each.target, len(each.entries)) for each in at_equal_accuracy(runs)]
    assert found == [(("cifar10", "resnet8"), 91, 3), (("cifar100", "resnet8"), 20, 2)]
    assert any("differ in data set or model" in each for each in caveats(runs))


def test_caveats(tmp_path: Path) -> None:
    runs = three_runs(tmp_path)
    assert caveats(runs) == []
    second = read_run(write_run(tmp_path / "static-2"))
    assert "2 runs are static 8/8/8" in caveats([*runs, second])[0]
    going = read_run(write_run(tmp_path / "going", done=10, ended=False))
    assert "going has the lowest best accuracy and has not ended" in caveats([runs[1], going])[0]


def test_differences_only_where_there_are_any(tmp_path: Path) -> None:
    runs = [
        read_run(write_run(tmp_path / "a")),
        read_run(
            write_run(
                tmp_path / "b",
                seed=3,
                config={"plan": {"steps": 40, "batch": 128, "learning_rate": 0.05}, "more": [1]},
            )
        ),
    ]
    found = {each.name: list(each.values) for each in settings(runs)}
    assert {each.name for each in settings(runs) if each.differs} == {
        *("plan.learning_rate", "seed", "weights_sha256", "more")
    }
    assert found["plan.learning_rate"] == ["0.1", "0.05"]
    assert found["more"] == ["—", "[1]"]
    assert found["residual blocks"] == ["3", "3"] and "blocks" not in found
    assert list(found)[-1] == "weights_sha256"


def test_the_document(tmp_path: Path) -> None:
    document = comparison_document(three_runs(tmp_path))
    low = document["runs"][1]
    assert low["best"] == {"step": 30, "test_accuracy": 92, "test_images": 10_000}
    assert low["last"]["test_accuracy"] == 89
    assert low["at_equal_steps"]["effective_macs"] == pytest.approx(
        {"value": 40e6 / 3, "fw8bw8": 40e6, "saving": 2 / 3}
    )
    assert low["at_equal_steps"]["step"] == 40
    assert "measured_seconds" not in low["at_equal_steps"]
    assert document["runs"][2]["at_equal_steps"]["measured_seconds"]["saving"] == pytest.approx(0.5)
    (equal,) = document["at_equal_accuracy"]
    assert (equal["target"], equal["reference"]) == (91, "static")
    assert equal["runs"]["pfq"]["modelled_joules"]["saving"] == pytest.approx(1 / 3)
    assert document["differences"]["method"] == {"static": "static", "low": "static", "pfq": "pfq"}


def test_measured_rows_appear_with_the_first_measured_run(tmp_path: Path) -> None:
    runs = three_runs(tmp_path)
    assert not any(
        row.name.startswith(("accelerator", "board")) for row in results_table(runs[:2]).rows
    )
    rows = {row.name: list(row.cells) for row in results_table(runs).rows}
    # 40 steps of half of 40,000 cycles at 200 MHz, measured as twice that
    assert rows["accelerator time"] == ["—", "—", "8.00 ms"]
    assert rows["accelerator time at FW8/BW8"] == ["—", "—", "16.0 ms"]
    assert rows["saving of accelerator time"] == ["—", "—", "50.0 %"]


def test_published_savings(tmp_path: Path) -> None:
    """The paper states these ratios itself."""
    config = {"dataset": "cifar100", "model": "resnet74"}
    runs = [read_run(write_run(tmp_path / "run", config=config))]
    (table,) = published_tables(runs * 2)
    rows = {row.name: list(row.cells) for row in table.rows}
    assert rows["saving of effective MACs"] == ["0.0 %", "52.0 %", "61.0 %"]
    assert rows["effective MACs"] == ["140 T", "67.2 T", "54.6 T"]
    assert rows["Bit Fusion time"] == ["6.17 h", "5.25 h", "5.18 h"]
    assert "saved 36.6 % of time, 24.9 % of energy" in table.remarks[1]
    assert published_tables([read_run(write_run(tmp_path / "other"))]) == []
    assert all(len(each) == 3 for each in RESULTS.values())
