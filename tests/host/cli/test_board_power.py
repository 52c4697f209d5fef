"""`fractrain board power`: what it shows and writes, and what it refuses."""

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.board.bitstream import read_note
from fractrain.host.bringup import power_phases as phases
from fractrain.host.cli import board_power
from fractrain.host.cli.main import main
from fractrain.hw.contract.parameters import load_parameters
from fractrain.sim.board import SimulatedBoard
from tests.host.board.power.fake_sensors import BROKEN, FakeSensors, monitor, path

RAIL = "hwmon0 vout1 x iout1"
QUICK = ("--seconds", "0.2", "--rate", "50")


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Let the command run on a system of the test's."""

    def use(system: Any) -> None:
        monkeypatch.setattr(board_power, "open_system", lambda args: contextlib.nullcontext(system))

    return use


def lines(file: Path) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, file.read_text().splitlines())


def test_sensors_only(
    on: Callable[[Any], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing but hwmon is there."""
    sensors = monitor(tmp_path)
    sensors.failing[path("hwmon0/in2")] = BROKEN
    on(sensors)
    file = tmp_path / "power.jsonl"
    assert main(["board", "power", "--phases", "now", *QUICK, "--out", str(file)]) == 0
    out = capsys.readouterr().out
    for said in (
        "now: as the board is",
        RAIL,
        "2.495",
        "ucd90120",
        "vout2",
        "all rails",
        str(file),
    ):
        assert said in out
    kinds = [each["kind"] for each in lines(file)]
    assert kinds[:2] == ["part", "failed"]
    assert kinds[-1] == "phase" and kinds.count("sample") >= 1
    phase = list(lines(file))[-1]
    assert phase["samples"] == kinds.count("sample")
    assert phase["rails"][RAIL]["watts"] == pytest.approx(2.495)
    assert phase["rails"][RAIL]["joules"] == pytest.approx(
        2.495 * (phase["end"] - phase["begin"]), rel=1e-4
    )
    assert phase["repetitions"] == 0


def test_without_rails_sensors_are_shown_and_why_there_is_no_power(
    on: Callable[[Any], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sensors = FakeSensors(tmp_path)
    sensors.device("hwmon0", "x", in1_input=1000)
    on(sensors)
    assert main(["board", "power", "--phases", "now", *QUICK]) == 0
    out = capsys.readouterr().out
    assert "power of no rail is known" in out
    assert "hwmon0/in1" in out and "power is not known" in out


def test_without_sensors(
    on: Callable[[Any], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on(FakeSensors(tmp_path))
    assert main(["board", "power", "--phases", "now", *QUICK]) == 4
    assert "hwmon shows no sensor" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--phases", "running,walking"), "--phases"),
        (("--phases", "idle,idle"), "--phases"),
        (("--phases", "now,idle"), "--phases"),
        (("--seconds", "0"), "--seconds"),
        (("--seconds", "nan"), "--seconds"),
        (("--rate", "0"), "--rate"),
    ],
)
def test_wrong_options(
    options: tuple[str, ...],
    text: str,
    on: Callable[[Any], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    on(monitor(tmp_path))
    assert main(["board", "power", *options]) == 2
    assert text in capsys.readouterr().err


def test_all_phases_on_the_simulated_board(
    on: Callable[[Any], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real driver stops the clock, starts it, and runs programs on the RTL; a register that
    is touched while it stands would end this as a hang of the bus."""
    with SimulatedBoard(load_parameters("tiny")) as board:
        on(board)
        file = tmp_path / "power.jsonl"
        assert main(["board", "power", "--seconds", "0.1", "--out", str(file)]) == 0
        out = capsys.readouterr().out
    assert "programs of" in out and "simulated" in out
    phases = {each["name"]: each for each in lines(file) if each["kind"] == "phase"}
    assert list(phases) == ["idle", "clocked", "running"]
    assert [phases[name]["repetitions"] > 0 for name in phases] == [False, False, True]
    watts = [each["rails"]["hwmon0 modelled"]["watts"] for each in phases.values()]
    assert watts[0] < watts[1] < watts[2], "more is modelled the more there is to do"
    assert "the sensor is simulated" in out and "nothing was measured" in out
    running = phases["running"]["rails"]["hwmon0 modelled"]
    assert running["joules_per_repetition"] == pytest.approx(
        running["joules"] / phases["running"]["repetitions"]
    )


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_clock_is_stopped(
    signum: signal.Signals, on: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ends it, or closes its terminal: the clock runs again, and a note says so."""
    seen = []
    # not this process's end if the command does not look after it
    before = signal.signal(signum, lambda *_: None)
    with SimulatedBoard(load_parameters("tiny"), buffer_bytes=1 << 20) as board:

        def interrupted(*arguments: Any) -> None:
            seen.append((board.slcr.obstacle, read_note(board)))
            os.kill(os.getpid(), signum)
            pytest.fail("the signal was not raised")

        monkeypatch.setattr(phases, "measure", interrupted)
        on(board)
        try:
            assert main(["board", "power"]) == 128 + signum
        finally:
            signal.signal(signum, before)
        assert seen == [("FCLK0 is stopped", None)]
        assert board.slcr.obstacle == "" and read_note(board) is not None


def test_training_with_power_needs_the_board(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--steps", "1", "--power", "--out", str(tmp_path)]) == 2
    assert "--backend board only" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
