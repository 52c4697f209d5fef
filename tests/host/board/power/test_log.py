"""Power of a run: what is in its folder after steps, interruptions and failures."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.accelerator import open_accelerator
from fractrain.host.board.power.log import PowerLog
from fractrain.host.board.power.sampler import PowerSampler
from fractrain.host.process.stopping import StopSignals
from fractrain.host.training.meter import Meter
from fractrain.host.training.run import Cadence, Run
from fractrain.host.training.run_directory import RunDirectory
from fractrain.host.training.run_record import describe
from fractrain.host.training.trainer import StepReport
from tests.host.board.power.fake_sensors import BROKEN, FakeSensors, monitor, path
from tests.host.training.test_trainer import PLAN, STATIC, trainer_of

CADENCE = Cadence(checkpoint_every=2, evaluate_every=3, test_images=10)
RAIL = "hwmon0 vout1 x iout1"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Measured:
    """A log whose sampling and time are driven by hand; the current is ``amperes``."""

    def __init__(self, folder: Path, sensors: FakeSensors) -> None:
        self.folder, self.clock, self.amperes = folder, Clock(), 1.0
        sensors.changing[path("hwmon0/in1")] = lambda: 1000
        sensors.changing[path("hwmon0/curr1")] = lambda: round(1000 * self.amperes)
        self.sampler = PowerSampler(sensors, 10, self.clock)
        self.log = PowerLog(self.sampler, self.clock)

    def start(self) -> None:
        self.sampler.sample()  # in place of the thread's first

    def step(self, number: int, seconds: float, samples: int = 4) -> None:
        self.log.begin_step()
        for _ in range(samples):
            self.clock.now += seconds / samples
            self.sampler.sample()
        self.log.end_step(number)
        self.log.write(self.folder)

    def close(self) -> None:
        self.sampler.sample()
        self.log.close(self.folder)


@pytest.fixture
def measured(tmp_path: Path) -> Iterator[Measured]:
    folder = tmp_path / "run"
    folder.mkdir()
    yield Measured(folder, monitor(tmp_path))


def summary_of(measured: Measured) -> dict[str, Any]:
    summary: dict[str, Any] = measured.log.summary(measured.folder)["measured_energy"]
    return summary


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "power.jsonl").read_text().splitlines()]


def steps(folder: Path) -> dict[int, float | None]:
    return {each["step"]: each["joules"][RAIL] for each in lines(folder) if each["kind"] == "step"}


def test_energy_of_each_step(measured: Measured) -> None:
    measured.start()
    measured.step(0, 2.0)
    measured.step(1, 4.0)
    measured.close()
    assert steps(measured.folder) == {0: pytest.approx(2.0), 1: pytest.approx(4.0)}
    kinds = [each["kind"] for each in lines(measured.folder)]
    assert kinds[0] == "part"
    assert kinds.count("sample") == 10
    summary = summary_of(measured)
    assert summary["joules_per_step"] == pytest.approx(3.0)
    assert summary["steps"] == 2


def test_what_comes_between_steps_is_in_none(measured: Measured) -> None:
    measured.start()
    measured.step(0, 1.0)
    measured.clock.now += 50  # an evaluation
    measured.sampler.sample()
    measured.step(1, 1.0)
    measured.close()
    assert steps(measured.folder) == {0: pytest.approx(1.0), 1: pytest.approx(1.0)}


def test_steps_shorter_than_a_period_share_it(measured: Measured) -> None:
    measured.start()
    for number in range(4):
        measured.log.begin_step()
        measured.clock.now += 0.25
        measured.log.end_step(number)
        measured.log.write(measured.folder)
    assert steps(measured.folder) == {}, "power after them is not known yet"
    measured.amperes = 3.0
    measured.sampler.sample()
    measured.close()
    found = steps(measured.folder)
    assert sum(value or 0 for value in found.values()) == pytest.approx(2.0)
    assert found[0] == pytest.approx(0.25 * 1.25)
    assert found[3] == pytest.approx(0.25 * 2.75)


def test_a_sensor_that_fails_in_a_step(measured: Measured, tmp_path: Path) -> None:
    sensors = measured.sampler._files
    assert isinstance(sensors, FakeSensors)
    measured.start()
    measured.step(0, 1.0)
    sensors.failing[path("hwmon0/curr1")] = BROKEN
    measured.step(1, 1.0)
    del sensors.failing[path("hwmon0/curr1")]
    measured.step(2, 1.0)
    measured.close()
    found = steps(measured.folder)
    assert found[1] is None
    assert found[2] == pytest.approx(1.0)
    (failed,) = [each for each in lines(measured.folder) if each["kind"] == "failed"]
    assert failed["channel"] == "hwmon0/curr1"
    assert failed["error"] == "Input/output error"
    assert summary_of(measured)["joules"] is None


def test_a_second_part_goes_on_behind_a_torn_line(measured: Measured, tmp_path: Path) -> None:
    measured.start()
    measured.step(0, 1.0)
    measured.step(1, 1.0)
    measured.close()
    with (measured.folder / "power.jsonl").open("a") as file:
        file.write('{"kind": "samp')
    again = Measured(measured.folder, monitor(tmp_path / "again"))
    again.start()
    again.step(1, 3.0)
    again.close()
    assert [each["kind"] for each in lines(measured.folder)].count("part") == 2
    summary = summary_of(again)
    assert summary["steps"] == 2
    assert summary["joules"] == pytest.approx(4.0)


def test_samples_are_durable_when_a_checkpoint_is_and_at_the_end(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def fsync(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").resolve().name
        synced.extend([len(lines(measured.folder))] if name == "power.jsonl" else [])

    monkeypatch.setattr(os, "fsync", fsync)
    measured.log.sync()  # nothing is written yet
    measured.start()
    measured.step(0, 1.0)
    written = len(lines(measured.folder))
    measured.log.sync()
    measured.close()
    assert synced == [written, len(lines(measured.folder))] and synced[1] > written


@pytest.mark.parametrize("damage", [b"x\n", b'{"kind": "part"}\n', b'{"kind": "none"}\n', b"[]\n"])
def test_a_log_that_the_summary_could_not_read_is_put_aside(
    damage: bytes, measured: Measured
) -> None:
    """When the run goes on, not when it has ended."""
    measured.start()
    measured.step(0, 1.0)
    measured.log.close(measured.folder)
    power = measured.folder / "power.jsonl"
    notes: list[str] = []
    measured.log.resume(measured.folder, notes.append)
    assert notes == []
    power.write_bytes(damage + power.read_bytes())
    measured.log.resume(measured.folder, notes.append)
    assert len(notes) == 1 and notes[0].endswith("it is now power.jsonl.damaged")
    assert not power.exists()
    assert summary_of(measured)["steps"] == 0


def test_a_run_that_never_began_leaves_nothing(measured: Measured) -> None:
    measured.log.start()
    measured.log.close(None)
    assert not list(measured.folder.iterdir())


def test_with_its_thread(tmp_path: Path) -> None:
    """Real time: only what does not depend on it is looked at."""
    folder = tmp_path / "run"
    folder.mkdir()
    log = PowerLog(PowerSampler(monitor(tmp_path), 100))
    log.start()
    for step in range(2):
        log.begin_step()
        time.sleep(0.02)
        log.end_step(step)
        log.write(folder)
    log.close(folder)
    found = steps(folder)
    assert set(found) == {0, 1}
    summary = log.summary(folder)["measured_energy"]
    assert summary["watts"] == pytest.approx(2.5 * 0.998, rel=0.05)


# -- in a run --------------------------------------------------------------------------------------


class Watching:
    """Power goes off after step ``off``."""

    def __init__(self, off: int | None = None) -> None:
        self._off = off

    def update(self, report: StepReport) -> None:
        if report.step == self._off:
            raise KeyboardInterrupt

    def evaluated(self, step: int, accuracy: float) -> None: ...


def train(
    root: Path, meter: Meter | None, off: int | None = None, *, resume: bool = False
) -> dict[str, Any]:
    """One process's part of the run ``root/run``; its summary."""
    directory = RunDirectory.reopen("run", root) if resume else RunDirectory.reserve(root, "run")
    with closing(directory), open_accelerator("golden") as accelerator:
        trainer = trainer_of(accelerator, PLAN, STATIC, "hardware")
        given = {"command": ["x"], "backend": "golden", "config": "tiny", "device": None}
        config = describe(trainer, given)
        run = Run(trainer, directory, config, CADENCE, StopSignals(), meter=meter)
        if resume:
            run.resume(lambda note: None)
        return run.execute(Watching(off))


def test_a_run_is_the_same_with_its_power_logged(tmp_path: Path) -> None:
    """Interrupted, too: every step is there, and counts once."""
    plain, metered = tmp_path / "plain", tmp_path / "metered"
    wanted = train(plain, None)
    sensors = monitor(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(metered, PowerLog(PowerSampler(sensors, 100)), off=3)
    summary = train(metered, PowerLog(PowerSampler(sensors, 100)), resume=True)
    for name in ("log.jsonl", "evaluations.jsonl"):
        assert (metered / "run" / name).read_text() == (plain / "run" / name).read_text()
    assert summary["weights_sha256"] == wanted["weights_sha256"]
    assert "measured_energy" not in wanted
    energy = summary["measured_energy"]
    assert energy["steps"] == PLAN.steps
    assert energy["requested_rate_hz"] == 100
    assert energy["rails"][RAIL]["how"] == "voltage x current"
    assert set(steps(metered / "run")) == set(range(PLAN.steps))
    assert energy["watts"] == pytest.approx(2.5 * 0.998, rel=0.05)
    recorded = json.loads((metered / "run" / "summary.json").read_text())
    assert recorded["measured_energy"] == energy


def test_a_run_without_rails_says_so(tmp_path: Path) -> None:
    summary = train(tmp_path, PowerLog(PowerSampler(FakeSensors(tmp_path), 100)))
    energy = summary["measured_energy"]
    assert energy["joules_per_step"] is None
    assert "shows no sensor" in energy["note"]
    assert energy["steps"] == PLAN.steps
