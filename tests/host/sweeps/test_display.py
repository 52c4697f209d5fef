"""What is seen of a sweep: lines now and then, bars on a terminal."""

import sys
from pathlib import Path

import pytest

from fractrain.host.sweeps import display as sweep
from fractrain.host.sweeps.display import Bars, Lines, open_display
from fractrain.host.sweeps.job import Job, Outcome
from fractrain.host.sweeps.points import Point, Resolved

POINT = Point("a-1", {"alpha": "0.3"}, Resolved((), {}, 10))


def test_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Lines(3, 1) as display:
        display.started(POINT, 4)
        display.progress(POINT, 5)
        display.ended(POINT, Job(tmp_path, ()), Outcome(1, "no memory"))
        display.stopping()
        display.ended(POINT, Job(tmp_path, ()), Outcome(143, "interrupted"))
    assert capsys.readouterr().out.splitlines() == [
        "alpha=0.3: goes on after step 4 of 10",
        "[2/3] alpha=0.3: failed: no memory",
        "stopping: runs save their state; once more to end them at once",
    ]


def test_lines_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(sweep.time, "monotonic", lambda: now[0])
    with Lines(3, 1) as display:
        display.started(POINT, 0)
        for now[0] in (1, 59, 61, 62):
            display.progress(POINT, int(now[0]))
    assert capsys.readouterr().out == "alpha=0.3: step 61 of 10\n"


def test_bars_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(sweep.sys.stdout, "isatty", lambda: True, raising=False)
    display = open_display(3, 1)
    assert isinstance(display, Bars)
    with display:
        display.started(POINT, 0)
        display.progress(POINT, 0)
        display.progress(POINT, 10)
        display._bars.refresh()
        display.ended(POINT, Job(tmp_path, ()), Outcome(1, "no memory"))
    shown = capsys.readouterr().out
    assert "[2/3] alpha=0.3: failed: no memory" in shown
    assert "all runs" in shown and "2/3" in shown
    monkeypatch.setitem(sys.modules, "rich", None)
    assert type(open_display(3, 1)) is Lines
