"""What is seen of a run: lines that are few and smoothed, a bar on a terminal."""

import pytest

from fractrain.host.graph.effective_macs import EffectiveMacs
from fractrain.host.runs import display as training
from fractrain.host.runs.display import BarProgress, LineProgress, open_progress
from fractrain.host.training.trainer import StepReport
from fractrain.hw.contract.precision import Pass, Precision


def report(step: int, loss: float, accuracy: float) -> StepReport:
    costs = EffectiveMacs()
    costs.add(Pass.FORWARD, 100, Precision(4, 4, 6))
    return StepReport(
        step=step,
        epoch=0,
        loss=loss,
        accuracy=accuracy,
        learning_rate=0.1,
        stage=0,
        bits=[(3, 3, 6), (4, 3, 6)],
        target_cp=None,
        costs=costs,
        machine=None,
    )


def test_lines_are_smoothed_and_few(capsys: pytest.CaptureFixture[str]) -> None:
    with LineProgress(100) as progress:
        progress.update(report(0, 4.0, 0.0))
        progress.update(report(1, 2.0, 1.0))
        # weights 0.9 and 1: (0.9 * 4 + 2) / 1.9 and 1 / 1.9; 4 * 4 of 1024 bit products
        assert progress.status == "loss 2.947  accuracy  52.6 %  cp 1.56 %"
        for step in range(2, 100):
            progress.update(report(step, 1.0, 1.0))
        progress.evaluated(100, 0.875)
    *lines, last, test = capsys.readouterr().out.splitlines()
    assert len(lines) <= 40
    assert last.startswith("step 100/100  loss 1.000  accuracy 100.0 %  cp 1.56 %  bits 3.5/3/6  ")
    assert last.endswith("0:00 left")
    assert test == "step 100/100  test accuracy 87.50 %"


def test_the_first_step_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """It compiles programs and asks the cycle model: the slowest of all."""
    said: list[str] = []
    monkeypatch.setattr(training, "work", lambda: said.append)
    with LineProgress(100, 4) as progress:
        assert said == ["step 5 of 100"]
        progress.update(report(4, 4.0, 0.0))
        assert said[1:] == [""]
    with pytest.raises(RuntimeError), LineProgress(100):
        raise RuntimeError
    assert said[-2:] == ["step 1 of 100", ""]


def test_time_left_is_of_the_steps_of_this_part(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter([0.0, 10.0])
    monkeypatch.setattr(training.time, "monotonic", lambda: next(now))
    LineProgress(100, 90).update(report(92, 1.0, 1.0))  # 3 steps in 10 seconds, 7 left
    assert capsys.readouterr().out.endswith("0:23 left\n")


def test_bar_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(training.sys.stdout, "isatty", lambda: True, raising=False)
    progress = open_progress(10, 4)
    assert isinstance(progress, BarProgress)
    with progress:
        progress.update(report(9, 1.0, 1.0))
        progress.evaluated(10, 0.875)
    shown = capsys.readouterr().out
    assert "10/10" in shown and "bits 3.5/3/6" in shown
    assert "step 10/10  test accuracy 87.50 %" in shown


def test_lines_without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setitem(training.sys.modules, "rich", None)
    assert isinstance(open_progress(10), LineProgress)
